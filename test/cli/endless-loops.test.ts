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
import { type Finished, run } from './support.ts'

const folder = mkdtempSync(join(tmpdir(), 'endless-loops-'))
after(() => rmSync(folder, { recursive: true }))

const CONNECTIONS = 200
const EXCHANGES = 100

function captureFile(name: string, connections: number): string {
  const frames = Array.from({ length: connections }, (_, i) =>
    encodeFrames(sequential(EXCHANGES).segments, { client: { address: '10.0.0.1', port: 1024 + i } }),
  )
  writeFileSync(join(folder, name), pcapOf(frames.flat()))
  return join(folder, name)
}

/** Too large for the main thread: a thread of its own reads and assembles it. */
const LARGE = captureFile('large.pcap', CONNECTIONS)
/** The main thread reads it, in more than one piece. */
const SMALL_CONNECTIONS = 25
const SMALL = captureFile('small.pcap', SMALL_CONNECTIONS)

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

/** Files that are read for many seconds, in the main thread because pairs are only counted. */
const FOR_SECONDS = Array.from({ length: 2000 }, () => LARGE)

/** Loaded into the program: the assembler does `what` when it is given frames under a condition. @param before runs first */
function atFrames(name: string, condition: string, what: string, before = ''): Record<string, string> {
  const path = join(folder, name)
  writeFileSync(
    path,
    `const { Instance, Module } = WebAssembly
    const { f: loop } = new Instance(new Module(Uint8Array.of(${LOOP}))).exports
    ${before}
    let calls = 0
    let looped = false
    WebAssembly.Instance = function (...args) {
      const { exports } = new Instance(...args)
      if (exports.consume === undefined) return { exports }
      const consume = (...frames) => {
        calls += 1
        if (${condition}) ${what}
        return exports.consume(...frames)
      }
      return { exports: { ...exports, consume } }
    }`,
  )
  return { NODE_OPTIONS: `--require ${path}` }
}

const SECOND = 'calls === 2'
/** Time limits of calls are a twentieth of what they are, so that the test need not wait for a minute. */
const IMPATIENT = `const { prototype } = require('node:vm').Script
    const { runInThisContext } = prototype
    prototype.runInThisContext = function (options) {
      return runInThisContext.call(this, { ...options, timeout: options.timeout / 20 })
    }`
/** The first frames after the main thread is watched, which it is after a second. */
const WATCHED = '!looped && performance.now() > 5_000 && (looped = true)'

/** Runs `read`, which counts the pairs. */
async function readCounting(env: Record<string, string>, ...files: string[]): Promise<Finished & { ledger: Ledger }> {
  const summary = join(folder, 'counted.json')
  const finished = await run(['read', '--all', '-o', 'none', '--summary', summary, ...files], { env })
  const ledger = JSON.parse(readFileSync(summary, 'utf8')) as Ledger
  assertLaws(ledger)
  return { ...finished, ledger }
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`read: ${signal} while the main thread reads a small file drains the run`, async () => {
    const env = atFrames(`${signal}.cjs`, SECOND, `process.kill(process.pid, '${signal}')`)
    const { code, signal: killed, ledger, stderr } = await readCounting(env, SMALL)
    assert.deepEqual([code, killed], [0, null], stderr)
    assert.ok(count(ledger, 'pairs.shipped') > 0)
  })
}

test('read: a small file is read whole although the program is stopped for some seconds in the middle of it', async () => {
  // Another process continues it: a stopped one cannot.
  const stop = `require('node:child_process').spawn('sh', ['-c', 'sleep 7; kill -CONT ' + process.pid], { stdio: 'ignore' }),
    process.kill(process.pid, 'SIGSTOP')`
  const whole = await readCounting({}, SMALL)
  const { code, stderr, ledger } = await readCounting(atFrames('stop.cjs', SECOND, stop), SMALL)
  assert.equal(code, 0, stderr)
  assert.deepEqual(ledger, whole.ledger)
})

test('read: an assembler that loops without end in a small file is replaced, and the file is read to its end', async () => {
  const whole = await readCounting({}, SMALL)
  const { code, stderr, ledger } = await readCounting(atFrames('loop-small.cjs', SECOND, 'loop()', IMPATIENT), SMALL)
  assert.equal(code, EXIT_RUNTIME)
  assert.match(stderr, /the assembler failed and is restarted.*timed out after \d+ ?ms/)
  assert.match(stderr, /^interceptor: a worker failed and was replaced: pairs may be missing$/m)
  assert.equal(count(ledger, 'frames.seen'), count(whole.ledger, 'frames.seen'))
  assert.ok(count(ledger, 'pairs.shipped') < SMALL_CONNECTIONS * EXCHANGES)
})

test('read: a stage that loops without end in the main thread is ended, and what is lost is counted', async () => {
  const { code, stderr, ledger } = await readCounting(atFrames('loop.cjs', WATCHED, 'loop()'), ...FOR_SECONDS)
  assert.equal(code, EXIT_RUNTIME)
  assert.match(stderr, /^interceptor: the capture worker failed: no heartbeat for \d\.\d s of CPU time$/m)
  assert.ok(count(ledger, 'frames.lost.crash') > 0)
  assert.ok(count(ledger, 'pairs.shipped') > 0)
})

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
