/** What a capture worker's slot keeps across threads: rings, counters, and the law of frames. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import type { CaptureWorkerData } from '../../../src/capture/worker-data.ts'
import { allocateCounters, CAPTURE_COUNTERS } from '../../../src/ledger/counters.ts'
import { FoldedLog } from '../../../src/log/folded-log.ts'
import { RingConsumer } from '../../../src/ring/byte-ring.ts'
import { Doorbell } from '../../../src/ring/doorbell.ts'
import { CaptureSlot } from '../../../src/supervisor/workers/capture-slot.ts'
import type { WorkerEnd } from '../../../src/supervisor/workers/worker-thread.ts'
import { COMMAND_DRAIN } from '../../../src/thread/control.ts'
import { FakeRun } from './fake-run.ts'

const ASSEMBLERS = 2
const C = CAPTURE_COUNTERS.index

class Rig {
  readonly launches: CaptureWorkerData[] = []
  readonly runs: FakeRun[] = []
  /** Counters of the interfaces that are captured now. */
  readonly open: Float64Array[] = []
  readonly slot: CaptureSlot
  sources = 0
  polls = 0
  end: WorkerEnd | null = null

  constructor(isRestartable = true) {
    const absent = (): never => assert.fail('another stage was started')
    this.slot = new CaptureSlot({
      slot: 3,
      frameRingBytes: 4096,
      assemblerBells: Array.from({ length: ASSEMBLERS }, () => Doorbell.allocate()),
      whenFull: 'drop',
      secret: 7,
      pairRings: [],
      warmUpShare: 1,
      tunnels: ['vxlan'],
      threadMates: [],
      isRestartable,
      onMessage: () => {},
      stages: {
        sharesThreads: false,
        capture: (data) => {
          this.launches.push(data)
          const run = new FakeRun()
          this.runs.push(run)
          return run
        },
        assemble: absent,
        ship: absent,
      },
      log: new FoldedLog(() => {}, { periodMs: 0 }),
    })
    this.slot.source = () => ({ kind: 'file', paths: [`${this.sources++}`], follow: false, filter: '' })
    this.slot.wakePoll = () => {
      this.polls += 1
    }
    this.slot.openBlocks = () => this.open
    void this.slot.ended.then((end) => {
      this.end = end
    })
  }

  get run(): FakeRun {
    return this.runs[this.runs.length - 1]
  }

  async start(): Promise<void> {
    void this.slot.worker.start()
    await this.run.becomeReady()
  }

  /** Sum of a counter over all blocks. */
  total(index: number): number {
    const blocks = [...this.slot.blocks.map(({ values }) => values), ...this.open]
    return blocks.reduce((sum, values) => sum + values[index], 0)
  }

  /** Frames that the worker has seen and holds without an outcome. */
  get unaccounted(): number {
    const isLoss = (path: string): boolean => /^frames\.(?:skipped|dropped)\./.test(path)
    return CAPTURE_COUNTERS.paths.reduce(
      (rest, path, index) => (isLoss(path) ? rest - this.total(index) : rest),
      this.total(C.seen) - this.total(C.queued),
    )
  }

  get closedRings(): number {
    return this.slot.rings.filter((ring) => new RingConsumer(ring, null).finished).length
  }
}

test('capture slot: every thread continues with the rings, counters and doorbell of its predecessor, and a new source', async () => {
  const rig = new Rig()
  await rig.start()
  rig.slot.worker.drain()
  await rig.run.crash()
  rig.slot.worker.check()
  const [first, second] = rig.launches
  assert.deepEqual(first.rings, [...rig.slot.rings])
  assert.equal(new Set(first.rings).size, ASSEMBLERS)
  for (const [index, ring] of first.rings.entries()) assert.equal(ring, second.rings[index])
  assert.equal(first.counters, second.counters)
  assert.equal(first.control, second.control)
  assert.equal(first.ownBell, second.ownBell)
  assert.deepEqual(
    [first.source, second.source].map((source) => source.kind === 'file' && source.paths),
    [['0'], ['1']],
  )
  assert.deepEqual([first.secret, first.tunnels, first.whenFull, first.warmUpShare], [7, ['vxlan'], 'drop', 1])
})

test('capture slot: a command wakes the thread, whether it waits for its doorbell or polls sockets', async () => {
  const rig = new Rig()
  await rig.start()
  const sleeping = new Int32Array(rig.slot.bell)
  // As Doorbell.wait does.
  sleeping[0] = 1
  rig.slot.worker.drain()
  assert.equal(rig.slot.worker.control.command, COMMAND_DRAIN)
  assert.deepEqual([sleeping[0], rig.polls], [0, 1])
})

test('capture slot: does not replace a worker that reads a file, and closes its rings', async () => {
  const rig = new Rig(false)
  await rig.start()
  assert.equal(rig.closedRings, 0)
  await rig.run.crash('EIO')
  await turn()
  assert.deepEqual(rig.end, { how: 'crashed', message: 'the capture worker failed: EIO' })
  assert.deepEqual([rig.runs.length, rig.closedRings], [1, ASSEMBLERS])
})

type Step =
  | { do: 'see' | 'queue' | 'drop'; where: number; frames: number }
  | { do: 'add interface' | 'crash' | 'done' | 'stop' }
  | { do: 'retire'; where: number }

const where = fc.nat(3)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom('see' as const, 'see' as const, 'queue' as const, 'drop' as const),
      where,
      frames: fc.integer({ min: 1, max: 9 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('add interface' as const, 'crash' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('retire' as const), where }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('done' as const, 'stop' as const) }) },
)

test('capture slot: model: the counters account for every frame, in any order of interfaces, crashes and ends', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30, size: 'max' }), async (steps) => {
      const rig = new Rig()
      await rig.start()
      // So that the next thread starts without a delay.
      rig.slot.worker.drain()
      const [own] = rig.slot.blocks
      const model = { seen: 0, held: 0, lost: 0 }
      for (const one of steps) {
        if (rig.end !== null) break
        const blocks = [own.values, ...rig.open]
        const block = 'where' in one ? blocks[one.where % blocks.length] : own.values
        if (one.do === 'see') {
          block[C.seen] += one.frames
          model.seen += one.frames
          model.held += one.frames
        } else if (one.do === 'queue' || one.do === 'drop') {
          const frames = Math.min(one.frames, model.held)
          block[one.do === 'queue' ? C.queued : C.droppedRing] += frames
          model.held -= frames
        } else if (one.do === 'add interface') rig.open.push(allocateCounters(CAPTURE_COUNTERS))
        else if (one.do === 'retire') {
          for (const counters of rig.open.splice(one.where, 1)) rig.slot.retire(counters)
        } else if (one.do === 'crash') {
          model.lost += model.held
          model.held = 0
          await rig.run.crash()
          rig.slot.worker.check()
        } else if (one.do === 'done') await rig.run.end({ how: 'done' })
        else rig.slot.worker.stop()
        await turn()
        assert.deepEqual({ seen: rig.total(C.seen), held: rig.unaccounted, lost: rig.total(C.droppedCrash) }, model)
        assert.equal(rig.closedRings, rig.end === null ? 0 : ASSEMBLERS)
      }
    }),
    { numRuns: 100 },
  )
})
