/**
 * Everything in the repository that is generated, from what, and what generating it needs. `npm run generate` writes it;
 * test/scripts/generated.test.ts fails when one of the files is not what its generator returns.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { figuresText, ratesText } from '../bench/figures.ts'
import { readResults } from '../bench/results.ts'
import {
  chartReadmeFile,
  type GeneratedFile,
  kustomizeFiles,
  plainManifests,
  valuesSchema,
} from '../deploy/generated.ts'
import { needsKubeTools } from '../rig/kube-tools.ts'
import { needs } from '../rig/needs.ts'
import { PROGRAM, ROOT } from '../rig/root.ts'
import { METRIC_GROUPS } from '../src/admin/metrics.ts'
import { configKeys } from '../src/config/keys.ts'
import { defaultConfig } from '../src/config/load.ts'
import { configJsonSchema, configReference } from '../src/config/reference.ts'
import { ASSEMBLE_COUNTERS } from '../src/ledger/counters.ts'
import * as reasons from '../src/ledger/reasons.ts'
import { refreshSessions } from './documents/console.ts'
import { pairTypes } from './documents/pair-types.ts'

export interface Generator {
  /** What it generates from what. */
  title: string
  /** @returns the files, as they should be */
  files(): readonly GeneratedFile[]
  /** @returns false where this machine can generate it, else what it needs */
  skip?(): string | false
}

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

/** In the order in which they are written: later ones read what earlier ones wrote. */
export const GENERATORS: readonly Generator[] = [
  {
    title: 'docs/configuration.md is the schema of the configuration',
    files: () => [['docs/configuration.md', configReference()]],
  },
  {
    title: 'schema/config.schema.json is the schema of the configuration',
    files: () => [['schema/config.schema.json', configJsonSchema()]],
  },
  {
    title: 'types/index.d.ts is the schema of a pair',
    files: () => [['types/index.d.ts', pairTypes(JSON.parse(read('schema/pair.schema.json')))]],
  },
  { title: 'src/config/defaults.ts has the defaults of the schema', files: defaultsModule },
  { title: 'src/ledger/meanings.ts has the meanings of docs/ledger.md', files: meaningsModule },
  { title: 'the assembler’s program has the counters of src/ledger/counters.ts', files: programCounters },
  { title: 'the assembler’s program has the reasons of src/ledger/reasons.ts', files: programReasons },
  { title: 'docs/cli.md has the help of every command', files: commandLinePage },
  { title: 'docs/metrics.md has every metric', files: metricsPage },
  { title: 'test/fixtures/README.md lists every capture of manifest.json', files: fixturesPage },
  { title: 'the chart’s values.schema.json contains the schema of the configuration', files: valuesSchema },
  { title: 'the chart’s README has every value', files: chartReadmeFile },
  {
    title: 'the documents have the figures of bench/results.json',
    files: () => [
      ...['README.md', 'docs/performance.md'].map(
        (page): GeneratedFile => [page, fillIn(read(page), 'figures', figuresText(readResults()))],
      ),
      ['bench/README.md', fillIn(read('bench/README.md'), 'rates', ratesText(readResults()))],
    ],
  },
  { title: 'deploy/manifests is what the chart renders', files: plainManifests, skip: needsKubeTools },
  { title: 'deploy/kustomize is what the chart renders', files: kustomizeFiles, skip: needsKubeTools },
  { title: 'sessions in the documents show what their commands print', files: sessions, skip: () => needs('jq') },
  { title: 'docs/images/read.svg shows the example capture', files: picture, skip: () => needs('python') },
]

/**
 * Replaces what stands between `<!-- generated: NAME -->` and the next `<!-- end -->` of a page.
 *
 * @throws when the page has no such place
 */
function fillIn(page: string, name: string, text: string): string {
  const begin = `<!-- generated: ${name} -->\n`
  const [head, rest] = page.split(begin)
  const end = rest?.indexOf('<!-- end -->') ?? -1
  if (end === -1) throw new Error(`there is no place for "${name}"`)
  return `${head}${begin}${text}${rest.slice(end)}`
}

/** Pages with blocks of sessions, see documents/console.ts. */
function sessions(): GeneratedFile[] {
  const docs = readdirSync(join(ROOT, 'docs')).filter((name) => name.endsWith('.md'))
  const pages = ['README.md', 'examples/README.md', 'deploy/README.md', ...docs.map((name) => `docs/${name}`)]
  return pages.map((page) => [page, refreshSessions(page, read(page))])
}

const table = (rows: readonly (readonly string[])[]): string =>
  rows.map((cells) => `|${cells.map((cell) => (cell === '' ? ' ' : ` ${cell} `)).join('|')}|\n`).join('')

/** Lets commands without settings run without the schema library. */
function defaultsModule(): GeneratedFile[] {
  const path = 'src/config/defaults.ts'
  const config = defaultConfig()
  // Set from the environment where it is empty.
  config.node.name = ''
  const paths = configKeys.map((key) => key.path)
  const module = `/** The defaults of the configuration. Generated from schema.ts by \`npm run generate\`. */
import type { Config } from './schema.ts'

/** The dotted path of every key, in the schema's order. */
export const CONFIG_PATHS: readonly string[] = ${JSON.stringify(paths)}

export const DEFAULTS = ${JSON.stringify(config)} as Config
`
  return [[path, formatted(path, module)]]
}

function formatted(path: string, module: string): string {
  const formatter = join(ROOT, 'node_modules', '.bin', 'biome')
  const run = spawnSync(formatter, ['format', `--stdin-file-path=${path}`], {
    cwd: ROOT,
    input: module,
    encoding: 'utf8',
  })
  if (run.status !== 0) throw new Error(`cannot format ${path}: ${run.error?.message ?? run.stderr}`)
  return run.stdout
}

/** The page of `interceptor ui` explains each loss in the document's words. */
function meaningsModule(): GeneratedFile[] {
  const path = 'src/ledger/meanings.ts'
  const rows = [...read('docs/ledger.md').matchAll(/^\| (`[a-z]+\.[^|]*) \| (.*) \|$/gm)]
  const meanings = rows.flatMap(([, counters, meaning]) =>
    counters.split(', ').map((counter) => [counter.replaceAll('`', ''), plainText(meaning)]),
  )
  const module = `/** What each counter of the ledger means. Generated from docs/ledger.md by \`npm run generate\`. */

/** By the counter's path. */
export const MEANINGS: Readonly<Record<string, string>> = ${JSON.stringify(Object.fromEntries(meanings))}
`
  return [[path, formatted(path, module)]]
}

function programCounters(): GeneratedFile[] {
  const lines = Object.entries(ASSEMBLE_COUNTERS.index).map(
    ([name, index]) => `export const ${name}: usize = ${index * Float64Array.BYTES_PER_ELEMENT}\n`,
  )
  const head =
    '/** Offsets of the counters in their block. Generated from src/ledger/counters.ts by `npm run generate`. */\n'
  return [['src/assemble/core/counters.ts', `${head}${lines.join('')}`]]
}

/** Types of the reasons in the program, by the beginning of their names. */
const REASON_TYPES: readonly (readonly [prefix: string, type: string])[] = [
  ['END_', 'u8'],
  ['RULE_', 'u8'],
  ['REASON_', 'i8'],
  ['NO_REASON', 'i8'],
]

function programReasons(): GeneratedFile[] {
  const lines = REASON_TYPES.flatMap(([prefix, type]) =>
    Object.entries(reasons)
      .filter(([name]) => name.startsWith(prefix))
      .sort(([, a], [, b]) => a - b)
      .map(([name, value]) => `export const ${name}: ${type} = ${value}\n`),
  )
  const head =
    '/** Why flows end, messages fail and pairs are filtered. Generated from src/ledger/reasons.ts by `npm run generate`. */\n'
  return [['src/assemble/core/reasons.ts', `${head}${lines.join('')}`]]
}

/** Markdown without its links and code marks. */
const plainText = (markdown: string): string => markdown.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll('`', '')

/** The program's own words, so that page and `--help` cannot differ. */
function commandLinePage(): GeneratedFile[] {
  const help = (...command: string[]): string => {
    const run = spawnSync(process.execPath, [PROGRAM, ...command, '--help'], { cwd: ROOT, encoding: 'utf8' })
    if (run.status !== 0) throw new Error(`${command.join(' ')} --help failed: ${run.stderr}`)
    return run.stdout.trimEnd()
  }
  const list = /^Commands:\n(.*?)\n\n/ms.exec(help())?.[1] ?? ''
  const commands = [...list.matchAll(/^ {2}(\w+)/gm)].map(([, name]) => name).filter((name) => name !== 'help')
  const ofConfig = ['print', 'schema', 'validate'].map((name) => ['config', name])
  const names = [[], ...commands.map((name) => [name]), ...ofConfig]
  const sections = names.map(
    (command) => `## ${['interceptor', ...command].join(' ')}\n\n\`\`\`text\n${help(...command)}\n\`\`\`\n`,
  )
  const head = '# Command line\n\n<!-- Generated from `interceptor COMMAND --help` by `npm run generate`. -->\n\n'
  const exits =
    'Data goes to standard output, everything else to standard error. Exit codes are those of [read](read.md#exit-codes).\n\n'
  return [['docs/cli.md', head + exits + sections.join('\n')]]
}

function metricsPage(): GeneratedFile[] {
  const path = 'docs/metrics.md'
  let page = read(path)
  for (const [group, metrics] of Object.entries(METRIC_GROUPS)) {
    const rows = metrics.map(({ name, type, labels, help }) => [
      `\`${name}\``,
      type,
      labels.map((label) => `\`${label}\``).join(', '),
      help,
    ])
    const head = '| metric | type | labels | meaning |\n|---|---|---|---|\n'
    page = fillIn(page, `metrics of ${group}`, head + table(rows))
  }
  return [[path, page]]
}

function fixturesPage(): GeneratedFile[] {
  const path = 'test/fixtures/README.md'
  const entries = JSON.parse(read('test/fixtures/manifest.json')) as {
    name: string
    what: string
    software: string[]
  }[]
  const rows = entries.map(({ name, what, software }) => [`\`${name}\``, what, software.join(', ')])
  const head = '| capture | what is in it | software |\n|---|---|---|\n'
  return [[path, fillIn(read(path), 'captures', head + table(rows))]]
}

/** What a terminal of 128 columns shows. Times are shown in the zone of whoever runs the command: here UTC. */
function picture(): GeneratedFile[] {
  const path = 'docs/images/read.svg'
  const folder = mkdtempSync(join(tmpdir(), 'interceptor-picture-'))
  try {
    const file = join(folder, 'read.svg')
    const command = 'interceptor read examples/shop.pcap.gz'
    const size = ['--columns', '128', '--rows', '27', '--shown', command]
    const args = ['scripts/terminal-svg.py', ...size, file, 'node', PROGRAM, ...command.split(' ').slice(1)]
    const run = spawnSync('python3', args, { cwd: ROOT, encoding: 'utf8', env: { ...process.env, TZ: 'UTC' } })
    if (run.status !== 0) throw new Error(`${args.join(' ')} failed: ${run.error?.message ?? run.stderr}`)
    return [[path, readFileSync(file, 'utf8')]]
  } finally {
    rmSync(folder, { recursive: true })
  }
}
