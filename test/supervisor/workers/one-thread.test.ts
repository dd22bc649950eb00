/** Stages in the main thread: which runs use it, and how the stages wait for each other with small rings. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, type TestContext, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { AssembleLoop } from '../../../src/assemble/assemble-loop.ts'
import { compileProgram } from '../../../src/assemble/host/program.ts'
import { defaultConfig } from '../../../src/config/load.ts'
import { ASSEMBLE_COUNTERS, allocateCounters, CAPTURE_COUNTERS, SHIP_COUNTERS } from '../../../src/ledger/counters.ts'
import { count, type Ledger, sumLedger } from '../../../src/ledger/ledger.ts'
import { createLogger } from '../../../src/log/logger.ts'
import { allocateRing, RingProducer } from '../../../src/ring/byte-ring.ts'
import { Doorbell } from '../../../src/ring/doorbell.ts'
import { PlaceEnd } from '../../../src/ring/frame-place.ts'
import { ShipStatus } from '../../../src/ship/status.ts'
import type { Outcome, PipelineOptions } from '../../../src/supervisor/options.ts'
import { startPipeline } from '../../../src/supervisor/pipeline.ts'
import { planRun } from '../../../src/supervisor/plan.ts'
import { OneThread } from '../../../src/supervisor/workers/one-thread.ts'
import type { WorkerRun } from '../../../src/supervisor/workers/worker-thread.ts'
import { Control } from '../../../src/thread/control.ts'
import { sequential } from '../../support/http-script.ts'
import { assertLaws } from '../../support/ledger.ts'
import { encodeFrames, pcapOf } from '../../support/tcp-frames.ts'

const folder = mkdtempSync(join(tmpdir(), 'one-thread-'))
after(() => rmSync(folder, { recursive: true }))

const EXCHANGES = 50
const RING_BYTES = 16 * 1024

/** A capture of many connections. @returns its path */
function captureFile(name: string, connections: number, encode = (bytes: Buffer): Buffer => bytes): string {
  const frames = Array.from({ length: connections }, (_, i) =>
    encodeFrames(sequential(EXCHANGES).segments, { client: { address: '10.0.0.1', port: 1024 + i } }),
  )
  writeFileSync(join(folder, name), encode(pcapOf(frames.flat())))
  return join(folder, name)
}

function optionsOf(...paths: string[]): PipelineOptions {
  const config = defaultConfig()
  return {
    config: { ...config, ship: { ...config.ship, sink: 'none' } },
    input: { kind: 'files', paths, follow: false },
    output: { format: 'none', file: null, decode: false, color: false, width: null, verbose: false },
    limit: null,
    all: true,
    log: createLogger({ level: 'silent', form: 'lines' }),
    onProgress: null,
  }
}

/** @returns how the run ended, and the threads that it started */
async function run(t: TestContext, options: PipelineOptions): Promise<{ outcome: Outcome; threads: number }> {
  let threads = 0
  const onWorker = (): void => {
    threads += 1
  }
  process.on('worker', onWorker)
  t.after(() => process.off('worker', onWorker))
  const outcome = await startPipeline(options).done
  assertLaws(outcome.ledger)
  assert.equal(outcome.exitCode, 0, outcome.failure?.message)
  return { outcome, threads }
}

describe('one thread: selection', () => {
  const small = captureFile('small.pcap', 2)

  test('small files use it, with the same ledger as in threads', async (t) => {
    const alone = await run(t, optionsOf(small, captureFile('small.pcap.gz', 2, gzipSync)))
    assert.equal(alone.threads, 0)
    assert.equal(count(alone.outcome.ledger, 'pairs.shipped'), 4 * EXCHANGES)
    const options = optionsOf(small, join(folder, 'small.pcap.gz'))
    const { config } = options
    const threaded = await run(t, { ...options, config: { ...config, assemble: { ...config.assemble, workers: 2 } } })
    assert.equal(threaded.threads, 4)
    assert.deepEqual(alone.outcome.ledger, threaded.outcome.ledger)
  })

  test('larger files use it if no pair is written; otherwise the shipper has a thread, and the ledger is the same', async (t) => {
    const zipped = captureFile('zipped.pcap.gz', 15, (bytes) => gzipSync(bytes, { level: 0 }))
    for (const path of [captureFile('large.pcap', 100), zipped]) {
      const alone = await run(t, optionsOf(path))
      assert.equal(alone.threads, 0)
      const written = await run(t, writing(optionsOf(path)))
      assert.equal(written.threads, 2)
      assert.deepEqual({ ...written.outcome.ledger, bytes: null }, { ...alone.outcome.ledger, bytes: null })
    }
  })

  test('an assembler that fails is replaced, and the file is read to its end', async (t) => {
    const { pass } = AssembleLoop.prototype
    let passes = 0
    t.mock.method(AssembleLoop.prototype, 'pass', function (this: AssembleLoop) {
      passes += 1
      if (passes === 5) throw new Error('thrown by the test')
      return pass.call(this)
    })
    const path = captureFile('failing.pcap', 100)
    const outcome = await startPipeline(optionsOf(path)).done
    assertLaws(outcome.ledger)
    assert.match(outcome.failure?.message ?? '', /pairs may be missing/)
    assert.equal(
      count(outcome.ledger, 'frames.seen'),
      count((await run(t, optionsOf(path))).outcome.ledger, 'frames.seen'),
    )
  })

  test('an assembler that fails while the capture stage waits for room is replaced, and the file is read to its end', async (t) => {
    const { pass } = AssembleLoop.prototype
    let thrown = 0
    t.mock.method(AssembleLoop.prototype, 'pass', function (this: AssembleLoop) {
      if (thrown === 0 && /FramePlace\.settle/.test(new Error().stack ?? '')) {
        thrown += 1
        throw new Error('thrown by the test')
      }
      return pass.call(this)
    })
    const path = captureFile('failing.pcap.gz', 100, gzipSync)
    const { ledger, failure } = await startPipeline(optionsOf(path)).done
    assert.equal(thrown, 1)
    assertLaws(ledger)
    assert.match(failure?.message ?? '', /pairs may be missing/)
    assert.equal(count(ledger, 'frames.seen'), count((await run(t, optionsOf(path))).outcome.ledger, 'frames.seen'))
    assert.ok(count(ledger, 'frames.lost.crash') > 0)
    assert.ok(count(ledger, 'pairs.shipped') > 0)
  })

  test('the main thread obeys a stop while it reads', async () => {
    // Several turns of the main thread.
    const COPIES = 40
    const path = captureFile('stopped.pcap', 400)
    const whole = await startPipeline(optionsOf(path)).done
    const timer = new Promise((resolve) => setTimeout(resolve, 1))
    const run = startPipeline({
      ...optionsOf(...Array<string>(COPIES).fill(path)),
      onProgress: () => void timer.then(() => run.drain()),
    })
    const { ledger } = await run.done
    assertLaws(ledger)
    assert.ok(count(ledger, 'frames.seen') < COPIES * count(whole.ledger, 'frames.seen'))
  })
})

function writing(options: PipelineOptions): PipelineOptions {
  const { config, output } = options
  return {
    ...options,
    config: { ...config, ship: { ...config.ship, sink: 'file' } },
    output: { ...output, format: 'ndjson', file: '/dev/null' },
  }
}

/** The three stages with a pair ring that holds a fraction of the file's pairs. */
class Rig {
  readonly #stages = new OneThread()
  readonly #options: PipelineOptions
  readonly #placeEnd = PlaceEnd.allocate()
  readonly #pairs = allocateRing(RING_BYTES)
  readonly #bells = { capture: Doorbell.allocate(), assembler: Doorbell.allocate(), shipper: Doorbell.allocate() }
  readonly #counters = {
    capture: allocateCounters(CAPTURE_COUNTERS),
    assemble: allocateCounters(ASSEMBLE_COUNTERS),
    ship: allocateCounters(SHIP_COUNTERS),
  }

  constructor(path: string) {
    this.#options = optionsOf(path)
  }

  get ledger(): Ledger {
    const { capture, assemble, ship } = this.#counters
    return sumLedger([
      { layout: CAPTURE_COUNTERS, values: capture },
      { layout: ASSEMBLE_COUNTERS, values: assemble },
      { layout: SHIP_COUNTERS, values: ship },
    ])
  }

  capture(): WorkerRun {
    const { input } = this.#options
    assert.ok(input.kind === 'files')
    return this.#stages.capture(
      {
        source: { kind: 'file', paths: input.paths, follow: false, filter: '' },
        rings: [],
        marks: [],
        assemblerBells: [this.#bells.assembler],
        ownBell: this.#bells.capture,
        control: Control.allocate(),
        counters: this.#counters.capture,
        whenFull: 'wait',
        secret: 0,
        pairRings: [],
        warmUpShare: 0,
        tunnels: [],
      },
      () => {},
    )
  }

  assemble(): WorkerRun {
    return this.#stages.assemble(
      {
        slot: 0,
        program: compileProgram(),
        rings: [],
        marks: [],
        captureBells: [],
        placeEnd: this.#placeEnd,
        ownBell: this.#bells.assembler,
        pairRing: this.#pairs,
        shipperBell: this.#bells.shipper,
        onlyCounts: false,
        control: Control.allocate(),
        counters: this.#counters.assemble,
        whenFull: 'wait',
        options: planRun(this.#options, 1).assemblerOptions,
        interfaces: [],
        addresses: [],
      },
      () => {},
    )
  }

  ship(): WorkerRun {
    return this.#stages.ship(
      {
        rings: [this.#pairs],
        assemblerBells: [this.#bells.assembler],
        ownBell: this.#bells.shipper,
        control: Control.allocate(),
        counters: this.#counters.ship,
        status: ShipStatus.allocate(),
        whenFull: 'wait',
        limit: null,
        bufferBytes: 1024 * 1024,
        maxAgeMs: 60_000,
        shutdownTimeoutMs: 5_000,
        sink: { kind: 'none' },
        tap: null,
        left: [],
      },
      () => {},
    )
  }

  /** Closes the ring of a failed assembler, like its slot. */
  closePairs(): void {
    new RingProducer(this.#pairs, new Doorbell(this.#bells.shipper)).close()
  }
}

describe('one thread: stages', () => {
  const path = captureFile('rings.pcap', 10)

  test('a stage that waits for room runs the next stage', async () => {
    const rig = new Rig(path)
    const runs = [rig.ship(), rig.assemble()]
    await Promise.all(runs.map(({ ready }) => ready))
    runs.push(rig.capture())
    for (const { ended } of runs) assert.deepEqual(await ended, { how: 'done' })
    assertLaws(rig.ledger)
    assert.equal(count(rig.ledger, 'pairs.shipped'), 10 * EXCHANGES)
  })

  test('a stage that waits for one that does not run crashes instead of waiting for ever', async () => {
    const rig = new Rig(path)
    const shipper = rig.ship()
    const end = await rig.capture().ended
    assert.match(end.how === 'crashed' ? end.message : end.how, /does not run/)
    rig.closePairs()
    assert.deepEqual(await shipper.ended, { how: 'done' })
  })

  test('a missing file is a failure without restart', async () => {
    const rig = new Rig(join(folder, 'gone.pcap'))
    const shipper = rig.ship()
    const assembler = rig.assemble()
    const end = await rig.capture().ended
    assert.deepEqual([await assembler.ended, await shipper.ended], [{ how: 'done' }, { how: 'done' }])
    assert.match(end.how === 'failed' ? end.failure.message : end.how, /gone\.pcap/)
  })
})
