import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { FileResult } from './test-file.ts'

const PROGRAM = fileURLToPath(new URL('./test-group-program.js', import.meta.url))
/** Starting two Node.js processes on a busy machine takes a second or two. */
const ENDED_MS = 30_000

interface GroupRun {
  began: string[]
  results: FileResult[]
  left: string[]
}

/** Runs files with these contents in one process; they are named a, b and so on. */
function runGroup(t: TestContext, contents: readonly string[], timeoutMs = ENDED_MS): GroupRun {
  const folder = mkdtempSync(join(tmpdir(), 'test-group-test-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const files = contents.map((content, i) => {
    const path = join(folder, `${'abc'[i]}.mjs`)
    writeFileSync(path, `import { after, describe, test } from 'node:test'\n${content}`)
    return path
  })
  // With this variable, node:test would run the program as a test.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const args = [PROGRAM, String(timeoutMs), ...files]
  const run = spawnSync(process.execPath, args, { encoding: 'utf8', env, timeout: 2 * ENDED_MS })
  assert.equal(run.status, 0, run.stderr)
  return JSON.parse(run.stdout) as GroupRun
}

const countsOf = ({ results }: GroupRun): [string, number, number][] =>
  results.map(({ name, passed, failures }) => [name, passed, failures.length])

test('test group: each file has its own counts and failures, in order', (t) => {
  const run = runGroup(t, [
    `test('one', () => {}); describe('two', () => { test('three', () => {}) })`,
    `test('four', () => { throw new Error('no') }); test('five', { skip: 'why' }, () => {})`,
    `test('six', () => {})`,
  ])
  assert.deepEqual(run.began, ['a', 'b', 'c'])
  assert.deepEqual(countsOf(run), [
    ['a', 2, 0],
    ['b', 0, 1],
    ['c', 1, 0],
  ])
  const [, { failures, skips }] = run.results
  assert.deepEqual([failures[0].title, skips], ['four', ['why']])
  assert.match(failures[0].error, /Error: no/)
  assert.deepEqual(run.left, [])
})

test('test group: no test begins before its file is evaluated', (t) => {
  const run = runGroup(t, [`test('one', () => {})`, `test('two', () => late); await 0; const late = 1`])
  assert.deepEqual(countsOf(run), [
    ['a', 1, 0],
    ['b', 1, 0],
  ])
})

test('test group: a file that cannot be imported, and one without tests, fail; the others run', (t) => {
  const run = runGroup(t, [`throw new Error('no')`, '', `test('one', () => {})`])
  assert.deepEqual(countsOf(run), [
    ['a', 0, 1],
    ['b', 0, 1],
    ['c', 1, 0],
  ])
  assert.match(run.results[0].failures[0].error, /Error: no/)
  assert.equal(run.results[1].failures[0].error, 'the file has no tests')
})

for (const [what, end, reason] of [
  ['exits', 'process.exit(0)', /its process ended before its tests/],
  ['is killed', `process.kill(process.pid, 'SIGKILL')`, /SIGKILL/],
  // Blocks the thread like an endless loop, but without CPU time.
  [
    'hangs',
    'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)',
    /its process was killed: it had not ended after 3 s/,
  ],
] as const) {
  test(`test group: a file that ${what} fails, and those after it are returned to be run alone`, (t) => {
    const files = [`test('one', () => {})`, `test('two', () => { ${end} })`, `test('three', () => {})`]
    const run = runGroup(t, files, 3000)
    assert.deepEqual(
      run.results.map(({ name, passed, failures }) => [name, passed, failures.length > 0]),
      [
        ['a', 1, false],
        ['b', 0, true],
      ],
    )
    assert.match(JSON.stringify(run.results[1].failures), reason)
    assert.deepEqual(run.left, ['c'])
  })
}

test('test group: a timer that a test leaves running does not keep the process alive', (t) => {
  const run = runGroup(t, [`test('one', () => {})`, `test('two', () => void setInterval(() => {}, 1000))`])
  assert.deepEqual(countsOf(run), [
    ['a', 1, 0],
    ['b', 1, 0],
  ])
})

test('test group: an error outside of any test is a failure', (t) => {
  const run = runGroup(t, [
    `test('one', () => {})`,
    `test('two', () => { setTimeout(() => { throw new Error('late') }, 1) }); test('three', (_, done) => setTimeout(done, 50))`,
  ])
  assert.deepEqual(
    countsOf(run).map(([name, , failures]) => [name, failures]),
    [
      ['a', 0],
      ['b', 1],
    ],
  )
})
