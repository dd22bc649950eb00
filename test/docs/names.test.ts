/** Names in the documents exist: configuration keys, options, counters, metrics, variables and links. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { parse } from 'yaml'
import { ROOT } from '../../rig/root.ts'
import { blocksOf, spansOf } from '../../scripts/documents/markdown.ts'
import { METRIC_GROUPS } from '../../src/admin/metrics.ts'
import { configKeys, configSections } from '../../src/config/keys.ts'
import { loadConfig } from '../../src/config/load.ts'
import { ASSEMBLE_COUNTERS, CAPTURE_COUNTERS, SHIP_COUNTERS, TARGET_COUNTERS } from '../../src/ledger/counters.ts'
import { interceptorOptions } from './check-command.ts'
import { PAGES, readPage } from './pages.ts'

const folder = mkdtempSync(join(tmpdir(), 'interceptor-docs-'))
after(() => rmSync(folder, { recursive: true }))

const pairSchema = JSON.parse(readPage('schema/pair.schema.json')) as {
  properties: Record<string, { properties: Record<string, unknown> }>
}
const keys = configKeys.map(({ path }) => path)
const sections = configSections.map(({ path }) => path)
const counters = [CAPTURE_COUNTERS, TARGET_COUNTERS, ASSEMBLE_COUNTERS, SHIP_COUNTERS].flatMap(({ paths }) => paths)
const metrics = Object.values(METRIC_GROUPS).flatMap((group): string[] => group.map(({ name }) => name))

const firstNames = (paths: readonly string[]): Set<string> => new Set(paths.map((path) => path.split('.')[0]))
const configNames = firstNames(keys)
const ledgerNames = firstNames(counters)

/** Whether a path, or one that ends in `.*` or `.NAME`, is one of the paths or a section of them. */
function isPathOf(paths: readonly string[], path: string): boolean {
  const bare = path.replace(/\.(?:\*|[A-Z]+|\{[^}]*\})$/, '')
  return paths.some((known) => known === bare || known.startsWith(`${bare}.`))
}

/** Fields of a pair that look like configuration keys. */
const pairFields = Object.keys(pairSchema.properties['capture'].properties).map((name) => `capture.${name}`)
/** Options of docker, helm, Envoy and node that the documents mention without their command. */
const OTHER_OPTIONS = [
  '--cap-add',
  '--cap-drop',
  '--disable-sigusr1',
  '--max-old-space-size',
  '--memory',
  '--proxy-type',
  '--read-only',
  '--set',
  '--user',
]

/** The unknown name in a code span; null if the span contains none. */
function wrongName(code: string): string | null {
  const path = code.replace(/^config\./, '').replace(/[=:].*$/s, '')
  const [first] = path.split('.')
  if (/^[\w.*{}]+$/.test(path) && path.includes('.') && !/\.(?:ts|md|yaml|json|mjs)$/.test(path)) {
    if (configNames.has(first) && !isPathOf([...keys, ...sections, ...pairFields], path))
      return `no key of the configuration: ${code}`
    if (ledgerNames.has(first) && !isPathOf(counters, path)) return `no counter of the ledger: ${code}`
  }
  const settings = code
    .split(/(?:^| )--set /)
    .filter((text) => /^[\w.]+=/.test(text) && keys.includes(text.split('=')[0]))
  if (settings.length > 0) return problemOf(settings)
  if (/^INTERCEPTOR_[A-Z_]+$/.test(path) && !isVariable(path)) return `no variable: ${code}`
  if (/^interceptor_\w+$/.test(path) && !metrics.some((name) => name.startsWith(path))) return `no metric: ${code}`
  const options = code.startsWith('--') ? (code.match(/(?<=^| )--[a-z][\w-]*/g) ?? []) : []
  const unknown = options.filter((option) => ![...interceptorOptions(), ...OTHER_OPTIONS].includes(option))
  return unknown.length > 0 ? `no option: ${unknown.join(', ')}` : null
}

const isVariable = (name: string): boolean =>
  ['INTERCEPTOR_CONFIG', 'INTERCEPTOR_KEY', 'INTERCEPTOR_SECTION_KEY'].includes(name) ||
  configKeys.some(({ environment }) => environment === name)

/** Values in capitals, or with a `…`, are placeholders. */
function problemOf(settings: readonly string[]): string | null {
  const flags = settings.map((text) => {
    const at = text.indexOf('=')
    return { path: text.slice(0, at), value: text.slice(at + 1), name: '--set' as const }
  })
  if (flags.some(({ value }) => /^[A-Z]+$|…/.test(value))) return null
  try {
    loadConfig({ env: {}, flags })
    return null
  } catch (error) {
    return (error as Error).message
  }
}

/** Lower case, without punctuation, words joined by `-`, as on GitHub. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-')

const anchors = (path: string): string[] =>
  [...readPage(path).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchorOf(heading))

function brokenLinks(page: string): string[] {
  const targets = [...readPage(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target)
  return targets
    .filter((target) => !/^[a-z]+:/.test(target))
    .filter((target) => {
      const [path, anchor] = target.split('#')
      const full = path === '' ? page : join(dirname(page), path)
      if (!existsSync(join(ROOT, full))) return true
      return anchor !== undefined && full.endsWith('.md') && !anchors(full).includes(anchor)
    })
}

/** A YAML block that is a configuration has only its sections at the top. */
function configProblem(lines: readonly string[]): string | null {
  const text = lines.join('\n')
  const value = parse(text) as Record<string, unknown> | null
  const isConfig = value !== null && Object.keys(value).every((name) => configNames.has(name))
  if (!isConfig) return null
  const file = join(folder, 'interceptor.yaml')
  writeFileSync(file, text)
  try {
    loadConfig({ env: {}, file })
    return null
  } catch (error) {
    return (error as Error).message
  }
}

const isPair = new Ajv2020({ strict: false }).compile(pairSchema)

function jsonProblem(lines: readonly string[]): string | null {
  const value = JSON.parse(lines.join('\n')) as { v?: number }
  return value.v === undefined || isPair(value) ? null : `no pair: ${JSON.stringify(isPair.errors)}`
}

for (const page of PAGES) {
  test(`links: those of ${page} have existing targets`, () => assert.deepEqual(brokenLinks(page), []))

  const checks = { yaml: configProblem, json: jsonProblem } as const
  for (const { language, line, lines } of blocksOf(page, readPage(page))) {
    if (language !== 'yaml' && language !== 'json') continue
    test(`examples: the ${language} at ${page}:${line} is valid`, () => assert.equal(checks[language](lines), null))
  }

  // Pages about benchmarks and captures mention other programs' options, and the changelog mentions former names.
  if (/^(?:bench|test|CHANGELOG)/.test(page)) continue
  test(`names: ${page} names keys, options, counters, metrics and variables that exist`, () => {
    const wrong = spansOf(readPage(page)).map(({ line, code }) => ({ line, problem: wrongName(code) }))
    assert.deepEqual(
      wrong.filter(({ problem }) => problem !== null).map(({ line, problem }) => `${page}:${line}: ${problem}`),
      [],
    )
  })
}

test('links: docs/README.md lists every page of docs/', () => {
  const linked = [...readPage('docs/README.md').matchAll(/\]\(([a-z-]+\.md)\)/g)].map(([, page]) => `docs/${page}`)
  const pages = PAGES.filter((page) => /^docs\/[a-z-]+\.md$/.test(page))
  assert.deepEqual(linked.sort(), pages.sort())
})

test('ledger: docs/ledger.md explains every counter, and no other', () => {
  const rows = readPage('docs/ledger.md').match(/^\| `.*?\|/gm) ?? []
  const explained = rows.flatMap((row) => [...row.matchAll(/`([\w.]+)`/g)].map(([, path]) => path))
  assert.deepEqual(explained.sort(), [...new Set(counters)].sort())
})
