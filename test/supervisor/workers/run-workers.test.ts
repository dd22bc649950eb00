/** How the workers of a run are connected, and which commands reach them, with simulated threads. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import type { AssembleTask } from '../../../src/assemble/worker-data.ts'
import type { CaptureWorkerData } from '../../../src/capture/worker-data.ts'
import { defaultConfig } from '../../../src/config/load.ts'
import { RunLedger } from '../../../src/ledger/run-ledger.ts'
import { createLogger } from '../../../src/log/logger.ts'
import { RingConsumer } from '../../../src/ring/byte-ring.ts'
import { Doorbell } from '../../../src/ring/doorbell.ts'
import type { ShipWorkerData } from '../../../src/ship/worker-data.ts'
import type { PipelineOptions } from '../../../src/supervisor/options.ts'
import { planRun } from '../../../src/supervisor/plan.ts'
import { AssemblerState } from '../../../src/supervisor/workers/assembler-state.ts'
import { RunWorkers } from '../../../src/supervisor/workers/run-workers.ts'
import { COMMAND_DRAIN, COMMAND_STOP, Control } from '../../../src/thread/control.ts'
import { propertyRuns } from '../../support/property-runs.ts'
import { FakeRun } from './fake-run.ts'

interface Launch<Data> {
  data: Data
  run: FakeRun
}

class Rig {
  readonly captures: Launch<CaptureWorkerData>[] = []
  readonly assemblers: Launch<Omit<AssembleTask, 'port'>>[] = []
  readonly shippers: Launch<ShipWorkerData>[] = []
  readonly ledger = new RunLedger()
  readonly workers: RunWorkers

  constructor({ captures = 2, assemblers = 3, input = 'live' as 'live' | 'files' } = {}) {
    const defaults = defaultConfig()
    const options: PipelineOptions = {
      config: { ...defaults, limits: { ...defaults.limits, memory: 192 * 1024 * 1024 } },
      input: input === 'live' ? { kind: 'targets' } : { kind: 'files', paths: [], follow: false },
      output: { format: 'none', file: null, decode: false, color: false, width: null, verbose: false },
      limit: null,
      all: false,
      log: createLogger({ level: 'silent', form: 'lines' }),
      onProgress: null,
    }
    const launch = <Data>(list: Launch<Data>[], data: Data): FakeRun => {
      const run = new FakeRun()
      list.push({ data, run })
      return run
    }
    const plan = planRun(options, null)
    const budget = { ...plan.budget, frameRingBytes: 2 ** 16, pairRingBytes: 2 ** 16 }
    this.workers = new RunWorkers({
      options,
      plan: { ...plan, captures, assemblers, budget },
      stages: {
        sharesThreads: false,
        capture: (data) => launch(this.captures, data),
        assemble: (data) => launch(this.assemblers, data),
        ship: (data) => launch(this.shippers, data),
      },
      ledger: this.ledger,
      state: new AssemblerState(options.config),
      isRestartable: true,
      onMessage: () => {},
    })
  }

  /** Starts every worker; each becomes ready. */
  async start(): Promise<void> {
    const starting = [this.workers.shipper.worker.start(), ...this.workers.captures.map(({ worker }) => worker.start())]
    void this.workers.startAssemblers()
    for (const run of this.runs) await run.becomeReady()
    await Promise.all([...starting, this.workers.assemblersReady()])
  }

  get runs(): FakeRun[] {
    return [...this.captures, ...this.assemblers, ...this.shippers].map(({ run }) => run)
  }

  /** The command received by each kind of worker. */
  get commands(): { capture: number[]; assemble: number[]; ship: number[] } {
    const of = (launches: readonly { data: { control: SharedArrayBuffer } }[]): number[] =>
      launches.map(({ data }) => new Control(data.control).command)
    return { capture: of(this.captures), assemble: of(this.assemblers), ship: of(this.shippers) }
  }
}

const times = (count: number, command: number): number[] => Array.from({ length: count }, () => command)

test('RunWorkers: every capture worker has a ring to every assembler, and every assembler one to the shipper', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 4 }),
      fc.constantFrom('live' as const, 'files' as const),
      async (captures, assemblers, input) => {
        const rig = new Rig({ captures, assemblers, input })
        await rig.start()
        const isLive = input === 'live'
        const [ship] = rig.shippers.map(({ data }) => data)
        const bells = rig.assemblers.map(({ data }) => data.ownBell)
        for (const [slot, { data }] of rig.assemblers.entries()) {
          assert.equal(data.slot, slot)
          assert.deepEqual(
            data.rings.map((ring, capture) => ring === rig.captures[capture].data.rings[slot]),
            rig.captures.map(() => true),
          )
          assert.ok(data.marks.every((marks, capture) => marks === rig.captures[capture].data.marks[slot]))
          assert.equal(data.marks.length, isLive ? captures : 0)
          assert.deepEqual(
            data.captureBells.map((bell, capture) => bell === (isLive ? null : rig.captures[capture].data.ownBell)),
            rig.captures.map(() => true),
          )
          assert.ok(data.pairRing === ship.rings[slot] && data.shipperBell === ship.ownBell)
        }
        for (const { data } of rig.captures) {
          assert.ok(data.assemblerBells.every((bell, slot) => bell === bells[slot]))
          assert.deepEqual(
            data.pairRings.map((ring, slot) => ring === ship.rings[slot]),
            isLive ? bells.map(() => true) : [],
          )
        }
        const memories = [...rig.captures.flatMap(({ data }) => data.rings), ...ship.rings, ...bells, ship.ownBell]
        assert.equal(new Set(memories).size, memories.length)
        assert.equal(memories.length, captures * assemblers + 2 * assemblers + 1)
      },
    ),
    { numRuns: propertyRuns(40) },
  )
})

test('RunWorkers: starts nothing by itself, and reports running workers with their rings', async () => {
  const rig = new Rig()
  assert.deepEqual([rig.runs, rig.workers.threads()], [[], []])
  assert.deepEqual(
    rig.workers.rings().map(({ kind }) => kind),
    times(3, 0).map(() => 'pairs'),
  )
  await rig.start()
  assert.deepEqual(
    rig.workers.threads().map(({ role, slot, state }) => `${role} ${slot} ${state}`),
    ['capture 0', 'capture 1', 'ship 0', 'assemble 0', 'assemble 1', 'assemble 2'].map((name) => `${name} ready`),
  )
  assert.equal(rig.workers.rings().filter(({ kind }) => kind === 'frames').length, 6)
  assert.equal(rig.ledger.blocks.length, 2 * 2 + 3 + 1)
})

test('RunWorkers: a drain reaches capture workers once they have their sources, and never the shipper', async () => {
  const rig = new Rig()
  await rig.start()
  rig.workers.drain()
  assert.deepEqual(rig.commands, { capture: times(2, 0), assemble: times(3, COMMAND_DRAIN), ship: [0] })
  rig.workers.sourcesGiven()
  rig.workers.drain()
  assert.deepEqual(rig.commands.capture, times(2, COMMAND_DRAIN))
  assert.deepEqual(rig.commands.ship, [0])
})

test('RunWorkers: a drain ends capture workers that were never started, and closes their rings', async () => {
  const rig = new Rig({ captures: 1 })
  rig.workers.sourcesGiven()
  void rig.workers.startAssemblers()
  rig.workers.drain()
  assert.deepEqual(await rig.workers.captures[0].ended, { how: 'done' })
  for (const ring of rig.workers.captures[0].rings) {
    assert.ok(new RingConsumer(ring, new Doorbell(Doorbell.allocate())).finished)
  }
})

test('RunWorkers: a stop reaches every worker, and the run has ended once all have', async () => {
  const rig = new Rig()
  await rig.start()
  rig.workers.stop()
  assert.deepEqual(rig.commands, {
    capture: times(2, COMMAND_STOP),
    assemble: times(3, COMMAND_STOP),
    ship: [COMMAND_STOP],
  })
  let hasEnded = false
  void rig.workers.ended().then(() => {
    hasEnded = true
  })
  for (const run of rig.runs) {
    await turn()
    assert.equal(hasEnded, false)
    await run.end({ how: 'done' })
  }
  await turn()
  assert.equal(hasEnded, true)
})

test('RunWorkers: terminates workers that ignore a stop for 2 s', async (t: TestContext) => {
  const rig = new Rig()
  await rig.start()
  t.mock.timers.enable({ apis: ['setTimeout'] })
  rig.workers.stop()
  t.mock.timers.tick(1999)
  assert.deepEqual(new Set(rig.runs.map(({ terminated }) => terminated)), new Set([false]))
  t.mock.timers.tick(1)
  assert.deepEqual(new Set(rig.runs.map(({ terminated }) => terminated)), new Set([true]))
})

test('RunWorkers: posts messages to every assembler', async () => {
  const rig = new Rig()
  await rig.start()
  rig.workers.postToAssemblers({ t: 'addresses', entries: [] })
  assert.deepEqual(
    rig.assemblers.map(({ run }) => run.posted),
    rig.assemblers.map(() => [{ t: 'addresses', entries: [] }]),
  )
})

test('RunWorkers: records that an assembler or a shipper was replaced, but not a capture worker', async () => {
  for (const [kind, expected] of [
    ['captures', false],
    ['assemblers', true],
    ['shippers', true],
  ] as const) {
    const rig = new Rig()
    await rig.start()
    assert.equal(rig.workers.haveCrashed, false)
    await rig[kind][0].run.crash()
    assert.equal(rig.workers.haveCrashed, expected)
    rig.workers.stop()
  }
})
