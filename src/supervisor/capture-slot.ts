/**
 * One capture worker's place: its rings to every assembler, its doorbell, its counters. They stay for the run, whichever
 * thread works there, and whether one ever does. Main thread.
 */

import type { CaptureWorkerData, SourceSpec } from '../capture/worker-data.ts'
import { allocateCounters, CAPTURE_COUNTERS } from '../ledger/counters.ts'
import { countCaptureLosses } from '../ledger/crash-losses.ts'
import type { CounterBlock } from '../ledger/ledger.ts'
import type { Logger } from '../log/logger.ts'
import { allocateRing, RingProducer } from '../ring/byte-ring.ts'
import { Doorbell } from '../ring/doorbell.ts'
import { Control } from '../thread/control.ts'
import type { FromWorker } from '../thread/messages.ts'
import { WorkerSlot } from './worker-slot.ts'

export interface CaptureSlotSpec {
  slot: number
  frameRingBytes: number
  assemblerBells: readonly SharedArrayBuffer[]
  whenFull: 'wait' | 'drop'
  /** Whether a crashed thread is started again: what reads a file cannot begin in its middle. */
  survives: boolean
  onMessage: (message: FromWorker) => void
  log: Logger
}

export class CaptureSlot {
  readonly slot: number
  readonly worker: WorkerSlot
  /** One per assembler. */
  readonly rings: readonly SharedArrayBuffer[]
  readonly bell = Doorbell.allocate()
  /** What the slot captures, whenever a thread is started there. */
  source: () => SourceSpec = () => ({ kind: 'af-packet', sockets: [] })
  /** Blocks of the interfaces it captures now. */
  openBlocks: () => Float64Array[] = () => []
  readonly #spec: CaptureSlotSpec
  readonly #control = Control.allocate()
  readonly #own = allocateCounters(CAPTURE_COUNTERS)
  readonly #gone = allocateCounters(CAPTURE_COUNTERS)

  constructor(spec: CaptureSlotSpec) {
    this.slot = spec.slot
    this.#spec = spec
    this.rings = spec.assemblerBells.map(() => allocateRing(spec.frameRingBytes))
    this.worker = new WorkerSlot({
      role: 'capture',
      slot: spec.slot,
      entry: '../capture/capture.worker.js',
      control: this.#control,
      workerData: () => this.#workerData(),
      survives: spec.survives,
      onMessage: spec.onMessage,
      onCrash: () => countCaptureLosses([this.#own, this.#gone, ...this.openBlocks()], this.#gone),
      log: spec.log,
    })
  }

  /** Counters of the worker itself, and of interfaces it captures no longer. */
  get blocks(): CounterBlock[] {
    return [this.#own, this.#gone].map((values) => ({ layout: CAPTURE_COUNTERS, values }))
  }

  /** Adds the counters of an interface that is no longer captured to the sum of all such. */
  retire(counters: Float64Array): void {
    counters.forEach((value, index) => {
      this.#gone[index] += value
    })
  }

  /** Takes no more frames: what is in the rings is finished. */
  drain(): void {
    if (!this.worker.started) this.#closeRings()
    this.worker.drain()
  }

  /** Ends at once; what is lost is counted. */
  stop(): void {
    if (!this.worker.started) this.#closeRings()
    this.worker.stop()
  }

  #workerData(): CaptureWorkerData {
    return {
      source: this.source(),
      rings: [...this.rings],
      assemblerBells: [...this.#spec.assemblerBells],
      ownBell: this.bell,
      control: this.#control,
      counters: this.#own,
      whenFull: this.#spec.whenFull,
    }
  }

  #closeRings(): void {
    this.rings.forEach((ring, assembler) => {
      new RingProducer(ring, new Doorbell(this.#spec.assemblerBells[assembler])).close()
    })
  }
}
