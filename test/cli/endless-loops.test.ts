/** `read` whose stages get into an endless loop, in a thread of their own or in the main thread. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { EXIT_RUNTIME } from '../../src/errors.ts'
import { count, type Ledger } from '../../src/ledger/ledger.ts'
import { sequential } from '../support/http-script.ts'
import { assertLaws } from '../support/ledger.ts'
import { encodeFrames, pcapOf } from '../support/tcp-frames.ts'
import { CAPTURE, finish, run, start } from './support.ts'

const folder = mkdtempSync(join(tmpdir(), 'endless-loops-'))
after(() => rmSync(folder, { recursive: true }))

const CONNECTIONS = 200
const EXCHANGES = 100

/** Too large for the main thread: a thread of its own reads and assembles it. */
const LARGE = join(folder, 'large.pcap')
writeFileSync(
  LARGE,
  pcapOf(
    Array.from({ length: CONNECTIONS }, (_, i) =>
      encodeFrames(sequential(EXCHANGES).segments, { client: { address: '10.0.0.1', port: 1024 + i } }),
    ).flat(),
  ),
)

/** (module (func (export "f") (loop (br 0)))) */
const LOOP = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0, 10, 9, 1, 7, 0, 3, 64, 12, 0, 11,
  11,
]

/** Loaded into each thread of the program: the thread that reads gets into an endless loop at its twelfth heartbeat. */
const LOOPING = join(folder, 'looping.cjs')
writeFileSync(
  LOOPING,
  `const { isMainThread, workerData } = require('node:worker_threads')
  const { add } = Atomics
  const { f: loop } = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.of(${LOOP}))).exports
  let calls = 0
  if (!isMainThread && workerData == null) Atomics.add = (...args) => (++calls === 12 ? loop() : add(...args))`,
)

/** As above, for the main thread. It prints a line first. */
const LOOPING_MAIN = join(folder, 'looping-main.cjs')
writeFileSync(
  LOOPING_MAIN,
  `const { isMainThread } = require('node:worker_threads')
  const { writeSync } = require('node:fs')
  const { add } = Atomics
  const { f: loop } = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.of(${LOOP}))).exports
  let calls = 0
  if (isMainThread) Atomics.add = (...args) => (++calls === 3 ? (writeSync(2, 'looping\\n'), loop()) : add(...args))`,
)

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`read: ${signal} ends a stage in the main thread that loops without end`, async () => {
    const child = start(['read', '-w', join(folder, 'pairs'), CAPTURE], {
      env: { NODE_OPTIONS: `--require ${LOOPING_MAIN}` },
    })
    let text = ''
    child.stderr!.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      if (text === 'looping\n') child.kill(signal)
    })
    const end = await finish(child)
    assert.deepEqual([end.code, end.signal], [null, signal], end.stderr)
  })
}

test('read: a stage that loops without end is ended, and what is lost is counted', async () => {
  const summary = join(folder, 'summary.json')
  const env = { NODE_OPTIONS: `--require ${LOOPING}` }
  const { code, stdout, stderr } = await run(['read', '--all', '-o', 'ndjson', '--summary', summary, LARGE], { env })
  assert.equal(code, EXIT_RUNTIME, stderr)
  assert.match(stderr, /^interceptor: the capture worker failed: no heartbeat for \d\.\d s$/m)
  const ledger = JSON.parse(readFileSync(summary, 'utf8')) as Ledger
  assertLaws(ledger)
  const shipped = count(ledger, 'pairs.shipped')
  assert.equal(stdout.split('\n').length - 1, shipped)
  assert.ok(shipped > 0 && shipped < CONNECTIONS * EXCHANGES, `${shipped} pairs`)
})
