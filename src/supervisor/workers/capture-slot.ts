/**
 * One capture worker's slot, with its rings to every assembler, its doorbell and its counters. They exist for the whole
 * run, whichever thread works there and whether one ever does. Main thread.
 */
import type { CaptureWorkerData, SourceSpec } from '../../capture/worker-data.ts'
import { allocateCounters, CAPTURE_COUNTERS } from '../../ledger/counters.ts'
import { countCaptureLosses } from '../../ledger/crash-losses.ts'
import type { CounterBlock } from '../../ledger/ledger.ts'
import type { Log } from '../../log/folded-log.ts'
import { allocateRing, RingProducer } from '../../ring/byte-ring.ts'
import { Doorbell } from '../../ring/doorbell.ts'
import { PlaceEnd } from '../../ring/frame-place.ts'
import { OpaqueMarks } from '../../ring/opaque-marks.ts'
import { Control } from '../../thread/control.ts'
import type { FromWorker } from '../../thread/messages.ts'
import type { Stages } from './stages.ts'
import { WorkerSlot } from './worker-slot.ts'
import type { WorkerEnd, WorkerRun } from './worker-thread.ts'

export interface CaptureSlotSpec {
  slot: number
  frameRingBytes: number
  assemblerBells: readonly SharedArrayBuffer[]
  whenFull: 'wait' | 'drop'
  /** Secret of the flow hash, the rings to the shipper, the share of the warm-up: see CaptureWorkerData. */
  secret: number
  pairRings: SharedArrayBuffer[]
  warmUpShare: number
  /** As in the configuration's `capture.tunnels`. */
  tunnels: readonly string[]
  /** @see WorkerSlotSpec.threadMates */
  threadMates: readonly Control[]
  /** Whether a crashed thread is replaced. One that reads a file is not: it would have to start in the middle. */
  isRestartable: boolean
  /** @see WorkerSlotSpec.peersWork */
  peersWork?: (() => boolean) | undefined
  onMessage: (message: FromWorker) => void
  stages: Stages
  log: Log
}

export class CaptureSlot {
  readonly slot: number
  readonly worker: WorkerSlot
  /** Resolves once no more frames will be put into the rings, or in place: both are closed. */
  readonly ended: Promise<WorkerEnd>
  /** One per assembler; none where the only assembler shares the thread. */
  readonly rings: readonly SharedArrayBuffer[]
  /** Of the frames in place, for an assembler that shares the thread; null: there are rings. */
  readonly placeEnd: SharedArrayBuffer | null
  /** One per ring in live capture, else none (see OpaqueMarks). */
  readonly marks: readonly SharedArrayBuffer[]
  readonly bell = Doorbell.allocate()
  /** Returns the source for a thread that starts in the slot. */
  source: () => SourceSpec = () => ({ kind: 'af-packet', sockets: [], wakeFd: -1 })
  /** Wakes a thread that polls packet sockets. */
  wakePoll: () => void = () => {}
  /** Counter blocks of the interfaces that it captures now. */
  openBlocks: () => Float64Array[] = () => []
  readonly #spec: CaptureSlotSpec
  readonly #control = Control.allocate()
  readonly #own = allocateCounters(CAPTURE_COUNTERS)
  readonly #retired = allocateCounters(CAPTURE_COUNTERS)

  constructor(spec: CaptureSlotSpec) {
    this.slot = spec.slot
    this.#spec = spec
    const { sharesThreads } = spec.stages
    this.rings = sharesThreads ? [] : spec.assemblerBells.map(() => allocateRing(spec.frameRingBytes))
    this.placeEnd = sharesThreads ? PlaceEnd.allocate() : null
    this.marks = spec.whenFull === 'drop' ? this.rings.map(() => OpaqueMarks.allocate()) : []
    this.worker = new WorkerSlot({
      role: 'capture',
      slot: spec.slot,
      control: this.#control,
      threadMates: spec.threadMates,
      wake: () => this.#wake(),
      launch: () => this.#launch(),
      isRestartable: spec.isRestartable,
      mayHang: true,
      peersWork: spec.peersWork,
      onCrash: () => countCaptureLosses([this.#own, this.#retired, ...this.openBlocks()], this.#retired),
      log: spec.log,
    })
    this.ended = this.#untilEnded()
  }

  /** Counters of the worker itself, and the sums over interfaces that it no longer captures. */
  get blocks(): CounterBlock[] {
    return [this.#own, this.#retired].map((values) => ({ layout: CAPTURE_COUNTERS, values }))
  }

  /** Adds the counters of an interface that is no longer captured to the sum of all such. */
  retire(counters: Float64Array): void {
    counters.forEach((value, index) => {
      this.#retired[index] += value
    })
  }

  #wake(): void {
    new Doorbell(this.bell).ring()
    this.wakePoll()
  }

  #launch(): WorkerRun {
    const workerData: CaptureWorkerData = {
      source: this.source(),
      rings: [...this.rings],
      marks: [...this.marks],
      assemblerBells: [...this.#spec.assemblerBells],
      ownBell: this.bell,
      control: this.#control,
      counters: this.#own,
      whenFull: this.#spec.whenFull,
      tunnels: this.#spec.tunnels,
      secret: this.#spec.secret,
      pairRings: this.#spec.pairRings,
      warmUpShare: this.#spec.warmUpShare,
    }
    return this.#spec.stages.capture(workerData, this.#spec.onMessage)
  }

  /** Closes the rings, or the place, of a worker that was never started or has crashed, and so has left them open. */
  async #untilEnded(): Promise<WorkerEnd> {
    const end = await this.worker.ended
    const bells = this.#spec.assemblerBells.map((bell) => new Doorbell(bell))
    this.rings.forEach((ring, assembler) => {
      new RingProducer(ring, bells[assembler]).close()
    })
    if (this.placeEnd !== null) new PlaceEnd(this.placeEnd, bells[0]).close()
    return end
  }
}
