import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { FileResult } from './test-file.ts'

const PROGRAM = fileURLToPath(new URL('./test-file-program.js', import.meta.url))
/** Starting two Node.js processes on a busy machine takes a second or two. */
const ENDED_MS = 30_000

/** The result of a test file with this content. */
function resultOf(t: TestContext, content: string, timeoutMs = ENDED_MS): FileResult {
  const folder = mkdtempSync(join(tmpdir(), 'test-file-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'it.test.mjs')
  writeFileSync(file, `import { test } from 'node:test'; import { Worker } from 'node:worker_threads'\n${content}`)
  // With this variable, node:test would run the program as a test.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const run = spawnSync(process.execPath, [PROGRAM, file, String(timeoutMs)], {
    encoding: 'utf8',
    env,
    timeout: 2 * ENDED_MS,
  })
  assert.equal(run.status, 0, run.stderr)
  return JSON.parse(run.stdout) as FileResult
}

test('test file: a thread that a failed test leaves running does not keep its file alive', (t) => {
  const leave = `new Worker('setInterval(() => {}, 1000)', { eval: true })`
  const { passed, failures } = resultOf(t, `test('a', () => { ${leave}; throw new Error('no') }); test('b', () => {})`)
  assert.deepEqual(
    [passed, ...failures.map(({ title, error }) => [title, error.includes('Error: no')])],
    [1, ['a', true]],
  )
})

/** Blocks its thread like an endless loop, but without CPU time. */
const BLOCK = 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)'

for (const [what, hang] of [
  ['waits for ever', 'setInterval(() => {}, 1000); await new Promise(() => {})'],
  ['blocks for ever', `await new Promise((done) => setTimeout(done, 100)); ${BLOCK}`],
  ['leaves a thread that blocks, and waits', `new Worker('${BLOCK}', { eval: true }); await new Promise(() => {})`],
  ['ignores SIGTERM', `process.on('SIGTERM', () => {}); await new Promise((done) => setTimeout(done, 1e9))`],
]) {
  test(`test file: kills one that ${what}, and keeps the counts of finished tests`, (t) => {
    const { passed, failures } = resultOf(t, `test('a', () => {}); test('b', async () => { ${hang} })`, 2000)
    assert.equal(passed, 1)
    assert.match(failures.map(({ error }) => error).join('\n'), /its process was killed: it had not ended after 2 s/)
  })
}

test('test file: one without tests fails', (t) => {
  assert.deepEqual(
    resultOf(t, '').failures.map(({ error }) => error),
    ['the file has no tests'],
  )
})
