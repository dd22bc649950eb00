/** Whole runs with real threads: how they end, and that their ledgers balance. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { needs } from '../../rig/needs.ts'
import { reservePorts } from '../../rig/ports.ts'
import { defaultConfig } from '../../src/config/load.ts'
import { count } from '../../src/ledger/ledger.ts'
import { createLogger } from '../../src/log/logger.ts'
import type { Outcome, PipelineInput, PipelineOptions } from '../../src/supervisor/options.ts'
import { startPipeline } from '../../src/supervisor/pipeline.ts'
import { sequential } from '../support/http-script.ts'
import { endServer, requestHttp, serveHttp } from '../support/http-traffic.ts'
import { assertLaws } from '../support/ledger.ts'
import { encodeFrames, type Frame, pcapOf } from '../support/tcp-frames.ts'
import { WorkerFaults } from '../support/worker-faults.ts'

const folder = mkdtempSync(join(tmpdir(), 'pipeline-'))
after(() => rmSync(folder, { recursive: true }))

const PORT = await reservePorts(1)

let files = 0
const path = (): string => join(folder, String(files++))

function captureFile(frames: readonly Frame[]): string {
  const file = path()
  writeFileSync(file, pcapOf(frames))
  return file
}

/** Frames of many connections with exchanges. */
const traffic = (connections: number, exchanges: number): Frame[] =>
  Array.from({ length: connections }, (_, i) =>
    encodeFrames(sequential(exchanges).segments, { client: { address: '10.0.0.1', port: 1024 + i } }),
  ).flat()

function options(parts: Partial<PipelineOptions> & { paths: string[]; to?: string }): PipelineOptions {
  const { paths, to = path(), ...rest } = parts
  const config = defaultConfig()
  return {
    config: { ...config, ship: { ...config.ship, sink: 'file' } },
    input: { kind: 'files', paths, follow: false },
    output: { format: 'ndjson', file: to, decode: false, color: false, width: null, verbose: false },
    limit: null,
    all: true,
    log: createLogger({ level: 'silent', form: 'lines' }),
    onProgress: null,
    ...rest,
  }
}

function assertEnded(outcome: Outcome, exitCode: number): void {
  assertLaws(outcome.ledger)
  assert.equal(outcome.exitCode, exitCode, outcome.failure?.message)
}

describe('pipeline', () => {
  test('emits the pairs of a capture file', async () => {
    const to = path()
    const outcome = await startPipeline(options({ paths: [captureFile(traffic(3, 5))], to })).done
    assertEnded(outcome, 0)
    assert.equal(count(outcome.ledger, 'pairs.shipped'), 15)
    assert.equal(readFileSync(to, 'utf8').trimEnd().split('\n').length, 15)
  })

  test('emits the same pairs with several assemblers', async () => {
    const { config, ...rest } = options({ paths: [captureFile(traffic(40, 5))] })
    const outcome = await startPipeline({
      ...rest,
      config: { ...config, assemble: { ...config.assemble, workers: 3 } },
    }).done
    assertEnded(outcome, 0)
    assert.equal(count(outcome.ledger, 'pairs.shipped'), 200)
  })

  test('exits with 1 if a worker fails while a file is read, although it is replaced', async (t) => {
    const faults = await WorkerFaults.attach(t)
    const input: PipelineInput = { kind: 'files', paths: [captureFile(traffic(3, 5))], follow: true }
    const pipeline = startPipeline({ ...options({ paths: [] }), input })
    const poll = () => new Promise((resolve) => setTimeout(resolve, 20))
    while (count(pipeline.ledger, 'pairs.shipped') < 15) await poll()
    await faults.inject('assemble', 'throw')
    while (pipeline.observe().threads.every(({ restarts }) => restarts === 0)) await poll()
    pipeline.drain()
    const outcome = await pipeline.done
    assertEnded(outcome, 1)
    assert.match(outcome.failure?.message ?? '', /pairs may be missing/)
  })

  test('a drain while the capture worker starts: frames that wait in its socket become pairs', {
    skip: needs('root', 'libpcap'),
  }, async (t) => {
    const server = await serveHttp(null, PORT, 100)
    t.after(() => endServer(server))
    const url = `http://127.0.0.1:${PORT}/`
    const { config, ...rest } = options({ paths: [] })
    let isBound = false
    const pipeline = startPipeline({
      ...rest,
      config: { ...config, capture: { ...config.capture, filter: `tcp port ${PORT}` } },
      input: { kind: 'interfaces', names: ['lo'] },
      onProgress: () => {
        if (!isBound) requestHttp(null, url, 3)
        isBound = true
      },
    })
    while (pipeline.observe().threads.every(({ role }) => role !== 'capture')) await setImmediate()
    pipeline.drain()
    // Requests block this thread, so the worker is ready before it gets the socket.
    requestHttp(null, url, 10)
    const outcome = await pipeline.done
    assertEnded(outcome, 0)
    assert.equal(count(outcome.ledger, 'pairs.shipped'), 13)
  })

  test('reports a missing file with one message', async () => {
    const outcome = await startPipeline(options({ paths: [join(folder, 'missing.pcap')] })).done
    assertLaws(outcome.ledger)
    assert.notEqual(outcome.exitCode, 0)
    assert.match(outcome.failure?.message ?? '', /missing\.pcap/)
  })

  test('emits the pairs of a truncated file, and exits with 3', async () => {
    const file = captureFile(traffic(2, 5))
    writeFileSync(file, readFileSync(file).subarray(0, -7))
    const outcome = await startPipeline(options({ paths: [file] })).done
    assertEnded(outcome, 3)
    assert.equal(outcome.damage.length, 1)
    assert.equal(count(outcome.ledger, 'pairs.shipped'), 10)
  })

  test('names a full disk, and counts unwritten pairs', async () => {
    const outcome = await startPipeline(options({ paths: [captureFile(traffic(20, 50))], to: '/dev/full' })).done
    assertEnded(outcome, 1)
    assert.match(outcome.failure?.message ?? '', /no space/i)
  })

  test('an output that cannot be opened ends the run before it starts', async () => {
    const outcome = await startPipeline(
      options({ paths: [captureFile(traffic(1, 1))], to: join(folder, 'no', 'such') }),
    ).done
    assertLaws(outcome.ledger)
    assert.notEqual(outcome.exitCode, 0)
    assert.equal(count(outcome.ledger, 'pairs.shipped'), 0)
  })

  test('reports contradictory limits as a usage error', async () => {
    const { config, ...rest } = options({ paths: [captureFile([])] })
    const limits = { ...config.limits, memory: 1024 * 1024 }
    const outcome = await startPipeline({ ...rest, config: { ...config, limits } }).done
    assertEnded(outcome, 2)
    assert.match(outcome.failure?.message ?? '', /limits\.memory/)
  })

  test('a stop during the run ends it, and losses are counted', async () => {
    const handle = startPipeline(options({ paths: [captureFile(traffic(200, 100))] }))
    setTimeout(() => handle.stop(), 150)
    const outcome = await handle.done
    assertLaws(outcome.ledger)
  })

  test('a stop before the start ends the run', async () => {
    const handle = startPipeline(options({ paths: [captureFile(traffic(2, 2))] }))
    handle.stop()
    assertLaws((await handle.done).ledger)
  })

  test('a drain before the start ends the run', async () => {
    const handle = startPipeline(options({ paths: [captureFile(traffic(2, 2))] }))
    handle.drain()
    assertEnded(await handle.done, 0)
  })

  test('a stop during a drain ends the run', async () => {
    const handle = startPipeline(options({ paths: [captureFile(traffic(200, 100))] }))
    setTimeout(() => handle.drain(), 100)
    setTimeout(() => handle.stop(), 120)
    assertLaws((await handle.done).ledger)
  })

  test('follows a growing file until it is drained', async () => {
    const input = { kind: 'files', paths: [captureFile(traffic(2, 3))], follow: true } as const
    let pairs = 0
    const handle = startPipeline({
      ...options({ paths: [] }),
      input: { ...input, paths: [...input.paths] },
      onProgress: (progress) => {
        pairs = progress.pairs
        if (pairs === 6) handle.drain()
      },
    })
    const outcome = await handle.done
    assertEnded(outcome, 0)
    assert.equal(pairs, 6)
    assert.equal(count(outcome.ledger, 'pairs.shipped'), 6)
  })

  test('stops by itself after the requested number of pairs', async () => {
    const to = path()
    const outcome = await startPipeline(options({ paths: [captureFile(traffic(50, 20))], to, limit: 7 })).done
    assertEnded(outcome, 0)
    assert.equal(readFileSync(to, 'utf8').trimEnd().split('\n').length, 7)
  })
})
