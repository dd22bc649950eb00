/**
 * The place and the titles of tests: the path of a test is the path of the file that it tests, so that either is found
 * from the other, and a title names the unit and what it does.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ROOT } from '../../rig/root.ts'
import { filesIn, type SourceFile } from './source-tree.ts'
import { holdsState } from './state.ts'

/** Folders of the checkout whose tests are in a folder of the same name; the others mirror src/. */
const MIRRORED = ['bench', 'rig', 'scripts']

/** Folders of test/ whose tests do not correspond to single files. */
const FOLDERS: Readonly<Record<string, string>> = {
  deploy: 'the chart, the manifests and the image of deploy/',
  docs: 'README.md and docs/: commands, outputs, links, figures',
  e2e: 'the whole program, against networks, Kafka and an API server',
  faults: 'what takes too long for npm test: floods in little memory, brokers that change roles or are killed',
  golden: 'recorded captures, against what the servers logged',
  support: 'what the tests share',
  structure: 'rules about the sources',
}

/** Tests that do not correspond to a single source file, and their subjects. */
const SPANNING: Readonly<Record<string, string>> = {
  'assemble/allocation': 'the hot path allocates nothing',
  'assemble/encode/measured': 'pairs that are counted, against the same pairs written',
  'assemble/floods': 'more connections, requests and held bytes than there is room for',
  'assemble/fuzz': 'hostile segments through a whole assembler',
  'assemble/http1/framing-doubt': 'messages whose end their own framing does not prove',
  'assemble/http1/loss': 'lost segments never make a wrong pair',
  'assemble/http1/oversize': 'messages over the limits',
  'assemble/http1/incomplete': 'responses that end before they are complete',
  'assemble/http1/request-forms': 'requests that servers read in several ways',
  'assemble/http1/response-forms': 'responses that deviate from the standard',
  'assemble/http1/timeouts': 'requests that wait for their response',
  'assemble/http1/transcript': 'the transcripts of cases/, at every cut',
  'assemble/oracle/laws': 'made-up conversations against a slow reference',
  'capture/files/fuzz': 'damaged captures through the whole stage',
  'capture/files/tshark': 'captures in every format, against tshark',
  'cli/endless-loops': 'stages of `read` that loop without end',
  'cli/heap': 'captures of more connections and requests than fit',
  'cli/kafka': 'the commands that use Kafka',
  'cli/log-secrets': 'no log line holds captured content',
  'cli/missing-system': 'commands without descriptors or /proc',
  'cli/slow-ends': 'inputs and outputs of `read` that are large, endless or slow',
  'cli/usage': 'options and errors of every command',
  'discovery/kubernetes/kwok': 'the watch of pods, with kubelets that kwok simulates',
  'discovery/kubernetes/many-pods': 'the watch of pods, in a cluster of thousands',
  'discovery/node': 'discovery on processes in cgroups and namespaces',
  'pair/schema': 'pairs against schema/pair.schema.json',
  'ui/browser': 'the page of interceptor ui, in Chromium',
  'supervisor/workers/restarts': 'what threads that end again and again leave behind',
  'ship/stdout': 'the shipper in a process of its own, at the end of a pipe',
}

const tests = filesIn('test')
  .map(({ path }) => path)
  .filter((path) => path.endsWith('.test.ts'))
  .map((path) => path.slice('test/'.length, -'.test.ts'.length))

/** Tests of the assembler's program (src/assemble/core) are in the folders of the assembler's tests. */
const inProgram = (name: string): string => name.replace(/^assemble\//, 'assemble/core/')

const hasSource = (name: string): boolean => {
  const folder = MIRRORED.includes(name.split('/')[0]) ? '.' : 'src'
  return [name, inProgram(name)].some((path) => existsSync(join(ROOT, folder, `${path}.ts`)))
}

const moduleOf = ({ path }: SourceFile): string => path.slice('src/'.length, -'.ts'.length)

test('tests: each mirrors a source file, or is declared', () => {
  const isDeclared = (name: string): boolean => name.split('/')[0] in FOLDERS || name in SPANNING
  assert.deepEqual(
    tests.filter((name) => !hasSource(name) && !isDeclared(name)),
    [],
  )
})

test('tests: what is declared exists, and is needed', () => {
  assert.deepEqual(
    Object.keys(SPANNING).filter((name) => !tests.includes(name) || hasSource(name)),
    [],
  )
  assert.deepEqual(
    Object.keys(FOLDERS).filter((folder) => !tests.some((name) => name.startsWith(`${folder}/`))),
    [],
  )
})

const stateful = filesIn('src').filter(holdsState).map(moduleOf)

test('tests: each module that holds state has a test of its own', () => {
  assert.deepEqual(
    stateful.filter((name) => !tests.includes(name)),
    [],
  )
})

/** The titles of tests outside of a `describe` and of loops, which begin a line. */
const TITLES = /^test\(\s*(['"`])(.*?)(?<!\\)\1/gm

test('tests: titles outside of a `describe` read `unit: behaviour`', () => {
  const titles = tests.flatMap((name) =>
    [...readFileSync(join(ROOT, 'test', `${name}.test.ts`), 'utf8').matchAll(TITLES)].map(([, , title]) => title),
  )
  assert.ok(titles.length > 1000)
  assert.deepEqual(
    titles.filter((title) => !title.includes(': ')),
    [],
  )
})
