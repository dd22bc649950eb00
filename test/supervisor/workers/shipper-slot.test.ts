/** What the shipper's slot keeps across threads: the held pairs, and the law of pairs. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { defaultConfig } from '../../../src/config/load.ts'
import { allocateCounters, SHIP_COUNTERS } from '../../../src/ledger/counters.ts'
import { createLogger } from '../../../src/log/logger.ts'
import { Doorbell } from '../../../src/ring/doorbell.ts'
import { openStore } from '../../../src/ship/left-pairs.ts'
import type { PairQueue } from '../../../src/ship/pair-queue.ts'
import type { ShipWorkerData } from '../../../src/ship/worker-data.ts'
import type { PipelineOptions } from '../../../src/supervisor/options.ts'
import { planRun } from '../../../src/supervisor/plan.ts'
import { ShipperSlot } from '../../../src/supervisor/workers/shipper-slot.ts'
import type { FromWorker } from '../../../src/thread/messages.ts'
import { HeldCollector } from '../../ship/held-collector.ts'
import { PairRing } from '../../ship/pair-ring.ts'
import { FakeRun } from './fake-run.ts'

const C = SHIP_COUNTERS.index

type Launch = { data: ShipWorkerData; post: (message: FromWorker) => void; run: FakeRun }

class Rig {
  readonly launches: Launch[] = []
  readonly messages: FromWorker[] = []
  readonly received: string[] = []
  readonly counters = allocateCounters(SHIP_COUNTERS)
  readonly slot: ShipperSlot

  /** @param reads whether the main thread reads the pairs */
  constructor({ reads = false, input = { kind: 'targets' } as PipelineOptions['input'] } = {}) {
    const options: PipelineOptions = {
      config: defaultConfig(),
      input,
      output: { format: 'none', file: null, decode: false, color: false, width: null, verbose: false },
      limit: 9,
      all: false,
      log: createLogger({ level: 'error', form: 'lines', write: () => {} }),
      onProgress: null,
      ...(reads ? { onPairs: (bytes) => void this.received.push(Buffer.from(bytes).toString()) } : {}),
    }
    const absent = (): never => assert.fail('another stage was started')
    this.slot = new ShipperSlot({
      plan: planRun(options, null),
      options,
      rings: [],
      assemblerBells: [Doorbell.allocate()],
      ownBell: Doorbell.allocate(),
      counters: this.counters,
      onMessage: (message) => this.messages.push(message),
      stages: {
        sharesThreads: false,
        capture: absent,
        assemble: absent,
        ship: (data, post) => {
          const run = new FakeRun()
          this.launches.push({ data, post, run })
          return run
        },
      },
    })
  }

  get last(): Launch {
    return this.launches[this.launches.length - 1]
  }

  async start(): Promise<void> {
    void this.slot.worker.start()
    await this.last.run.becomeReady()
    // So that the next thread starts without a delay.
    this.slot.worker.drain()
  }

  async crash(): Promise<void> {
    await this.last.run.crash()
    this.slot.worker.check()
    await turn()
  }
}

test('shipper slot: with live input, drops pairs and replaces the shipper; with file input, waits and ends with the shipper', async () => {
  for (const [input, waits] of [
    [{ kind: 'targets' }, false],
    [{ kind: 'files', paths: ['a'], follow: false }, true],
  ] as const) {
    const rig = new Rig({ input: input as PipelineOptions['input'] })
    await rig.start()
    assert.equal(rig.last.data.assemblerBells[0] !== null, waits)
    await rig.crash()
    assert.deepEqual([rig.slot.worker.state, rig.launches.length], waits ? ['stopped', 1] : ['starting', 2])
  }
})

test('shipper slot: passes pairs to the main thread and counts them as consumed; forwards other messages', async () => {
  const rig = new Rig({ reads: true })
  await rig.start()
  const { data, post } = rig.last
  post({ t: 'pairs', bytes: Buffer.from('one'), ends: [3] })
  post({ t: 'outputEnded' })
  post({ t: 'pairs', bytes: Buffer.from('second'), ends: [6] })
  assert.deepEqual([rig.received, rig.messages], [['one', 'second'], [{ t: 'outputEnded' }]])
  assert.ok(data.sink.kind === 'post')
  assert.equal(new Int32Array(data.sink.consumed)[0], 9)
})

type Step = { do: 'arrive' | 'ship' | 'pop'; pairs: number } | { do: 'crash' }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom('arrive' as const, 'arrive' as const, 'ship' as const, 'pop' as const),
      pairs: fc.integer({ min: 1, max: 300 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'crash' as const }) },
)

/** A shipper's use of its queue, in the test's thread: each launch continues with what its predecessor left. */
class Shipper {
  readonly rig = new Rig()
  readonly shipped: number[] = []
  readonly #ring = new PairRing()
  readonly #collector = new HeldCollector()
  #arrived = 0
  #queue: PairQueue | null = null

  arrive(pairs: number): void {
    const queue = this.#open()
    for (const end = this.#arrived + pairs; this.#arrived < end; this.#arrived += 1) {
      this.#ring.put(this.#arrived, new Uint8Array(700))
      while (queue.read(this.#ring.consumer, 1, 0) > 0);
      this.rig.counters[C.pairsRead] += 1
    }
  }

  /**
   * @param settled whether they are counted; otherwise the thread holds them, and they are neither in the queue nor
   * counted
   */
  ship(pairs: number, settled: boolean): void {
    const queue = this.#open()
    for (let left = pairs; left > 0 && queue.front(); left -= 1) {
      if (settled) this.shipped.push(queue.connection)
      if (settled) this.rig.counters[C.shipped] += 1
      queue.pop()
      if (settled) queue.settle()
    }
  }

  crash(): Promise<void> {
    this.#queue = null
    return this.rig.crash()
  }

  get pairs(): number {
    return this.#open().pairs
  }

  get arrived(): number {
    return this.#arrived
  }

  #open(): PairQueue {
    if (this.#queue !== null) return this.#queue
    const { data, post } = this.rig.last
    assert.deepEqual(new Set(data.left), new Set(this.#collector.left))
    this.#queue = openStore(data.left, (message) => {
      this.#collector.post(message)
      post(message)
    }).queue
    return this.#queue
  }
}

test('shipper slot: model: unsettled pairs reach the next thread in order, and every pair is counted once', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const shipper = new Shipper()
      const { rig } = shipper
      await rig.start()
      const isStopped = (): boolean => rig.slot.worker.state === 'stopped'
      let isPopped = false
      for (const one of steps) {
        if (isStopped()) break
        if (one.do === 'arrive') shipper.arrive(one.pairs)
        else if (one.do === 'crash') {
          await shipper.crash()
          isPopped = false
          const { counters } = rig
          assert.equal(counters[C.queued] + counters[C.shipped] + counters[C.droppedCrash], counters[C.pairsRead])
          if (!isStopped()) assert.equal(shipper.pairs, counters[C.queued])
        } else if (one.do === 'pop') {
          shipper.ship(one.pairs, false)
          isPopped = true
        } else if (!isPopped) shipper.ship(one.pairs, true)
      }
      const { shipped } = shipper
      assert.deepEqual(
        shipped,
        shipped.map((_, index) => index),
      )
      assert.equal(rig.counters[C.droppedCrash], 0)
      assert.equal(rig.counters[C.pairsRead], shipper.arrived)
    }),
    { numRuns: 50 },
  )
})
