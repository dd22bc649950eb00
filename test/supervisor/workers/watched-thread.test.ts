/** Which runs a thread watches. That it ends loops is tested with the program (cli/endless-loops): an interrupted test runner aborts. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, type TestContext, test } from 'node:test'
import type { Worker } from 'node:worker_threads'
import { defaultConfig } from '../../../src/config/load.ts'
import { createLogger } from '../../../src/log/logger.ts'
import type { PipelineOptions } from '../../../src/supervisor/options.ts'
import { startPipeline } from '../../../src/supervisor/pipeline.ts'
import { sequential } from '../../support/http-script.ts'
import { assertLaws } from '../../support/ledger.ts'
import { encodeFrames, pcapOf } from '../../support/tcp-frames.ts'

const folder = mkdtempSync(join(tmpdir(), 'watched-thread-'))
after(() => rmSync(folder, { recursive: true }))

const capture = join(folder, 'capture.pcap')
writeFileSync(
  capture,
  pcapOf(
    Array.from({ length: 100 }, (_, i) =>
      encodeFrames(sequential(50).segments, { client: { address: '10.0.0.1', port: 1024 + i } }),
    ).flat(),
  ),
)

function optionsOf(files: number): PipelineOptions {
  const config = defaultConfig()
  return {
    config: { ...config, ship: { ...config.ship, sink: 'none' } },
    input: { kind: 'files', paths: Array.from({ length: files }, () => capture), follow: false },
    output: { format: 'none', file: null, decode: false, color: false, width: null, verbose: false },
    limit: null,
    all: true,
    log: createLogger({ level: 'silent', form: 'lines' }),
    onProgress: null,
  }
}

/** The threads that are started during the test. */
function startedThreads(t: TestContext): Worker[] {
  const threads: Worker[] = []
  const onWorker = (worker: Worker): void => void threads.push(worker)
  process.on('worker', onWorker)
  t.after(() => process.off('worker', onWorker))
  return threads
}

test('WatchedThread: starts no thread for a short run', async (t) => {
  const threads = startedThreads(t)
  const { ledger, exitCode } = await startPipeline(optionsOf(2)).done
  assertLaws(ledger)
  assert.deepEqual([exitCode, threads.length], [0, 0])
})

test('WatchedThread: a longer run is watched by a thread, which ends with it', async (t) => {
  const threads = startedThreads(t)
  const run = startPipeline(optionsOf(100_000))
  while (threads.length === 0) await new Promise((resolve) => setTimeout(resolve, 10))
  threads[0].ref()
  const ended = once(threads[0], 'exit')
  run.drain()
  const { ledger, exitCode } = await run.done
  assertLaws(ledger)
  assert.equal(exitCode, 0)
  await ended
  assert.equal(threads.length, 1)
})
