/** A thread that reads and assembles: its end in every way. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, type TestContext, test } from 'node:test'
import type { Worker } from 'node:worker_threads'
import { defaultConfig } from '../../../src/config/load.ts'
import { count } from '../../../src/ledger/ledger.ts'
import { createLogger } from '../../../src/log/logger.ts'
import type { PipelineOptions } from '../../../src/supervisor/options.ts'
import { startPipeline } from '../../../src/supervisor/pipeline.ts'
import { sequential } from '../../support/http-script.ts'
import { assertLaws } from '../../support/ledger.ts'
import { encodeFrames, pcapOf } from '../../support/tcp-frames.ts'

const folder = mkdtempSync(join(tmpdir(), 'read-thread-'))
after(() => rmSync(folder, { recursive: true }))

const EXCHANGES = 50
const capture = pcapOf(encodeFrames(sequential(EXCHANGES).segments))

function optionsOf(...paths: string[]): PipelineOptions {
  const config = defaultConfig()
  return {
    config: { ...config, ship: { ...config.ship, sink: 'file' } },
    input: { kind: 'files', paths, follow: false },
    output: { format: 'ndjson', file: join(folder, 'pairs'), decode: false, color: false, width: null, verbose: false },
    limit: null,
    all: true,
    log: createLogger({ level: 'silent', form: 'lines' }),
    onProgress: null,
  }
}

/** The threads that run now, in the order of their start. */
function followThreads(t: TestContext): Worker[] {
  const alive: Worker[] = []
  const note = (worker: Worker): void => {
    alive.push(worker)
    worker.once('exit', () => alive.splice(alive.indexOf(worker), 1))
  }
  process.on('worker', note)
  t.after(() => process.off('worker', note))
  return alive
}

/** A FIFO with a capture, whose writer does not close it. */
function pipe(): string {
  const path = join(folder, 'pipe')
  execFileSync('mkfifo', [path])
  writeSync(openSync(path, 'r+'), capture)
  return path
}

test('read thread: it and the shipper are the only threads, and none is left behind', async (t) => {
  const alive = followThreads(t)
  const path = pipe()
  const run = startPipeline(optionsOf(path))
  while (count(run.ledger, 'pairs.shipped') < EXCHANGES) await new Promise((resolve) => setTimeout(resolve, 5))
  assert.equal(alive.length, 2)
  const roles = run.observe().threads.map(({ role, state }) => `${role} ${state}`)
  assert.deepEqual(roles.sort(), ['assemble ready', 'capture ready', 'main ready', 'ship ready'])
  run.drain()
  const { exitCode, ledger } = await run.done
  assert.equal(exitCode, 0)
  assertLaws(ledger)
  assert.deepEqual(alive, [])
  rmSync(path)
})

test('read thread: its failure ends the run, and pairs found before are kept', async (t) => {
  const alive = followThreads(t)
  const path = pipe()
  const run = startPipeline(optionsOf(path))
  while (count(run.ledger, 'pairs.shipped') < EXCHANGES) await new Promise((resolve) => setTimeout(resolve, 5))
  // The shipper starts first.
  await alive[1].terminate()
  const { exitCode, ledger, failure } = await run.done
  assert.equal(exitCode, 1)
  assert.match(failure?.message ?? '', /the capture worker failed: the thread ended/)
  assertLaws(ledger)
  assert.equal(count(ledger, 'pairs.shipped'), EXCHANGES)
  assert.deepEqual(alive, [])
  rmSync(path)
})

test('read thread: a file that cannot be read is a failure without restart', async () => {
  const missing = join(folder, 'missing.pcap')
  const large = join(folder, 'large.pcap')
  writeFileSync(large, Buffer.concat([capture, Buffer.alloc(2 * 1024 * 1024)]))
  const { failure, ledger } = await startPipeline(optionsOf(large, missing)).done
  assert.match(failure?.message ?? '', /missing\.pcap/)
  assertLaws(ledger)
})
