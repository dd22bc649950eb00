/**
 * Measures, period by period, how much of a capture worker's load is processed and how much waits. From that the shedder
 * decides which connections are kept (flow-shedder.ts).
 *
 * Thread: the capture worker's. No allocation per frame.
 */
import type { RingLevel, RingProducer } from '../../ring/byte-ring.ts'
import type { Control } from '../../thread/control.ts'
import type { Backlog } from '../frame-sink.ts'
import { FlowShedder, isKept, KEEP_ALL, type LoadPeriod } from './flow-shedder.ts'

/** A pair ring that is fuller than this makes the shedder shed. */
const CROWDED_SHARE = 3 / 4
/** With a frame ring fuller than this, the source's buffer fills up for lack of room in the rings; below, because this thread is slow. */
const RING_FULL_SHARE = 3 / 4

/** The shedder decides every PERIOD_MS, and every HASTE_MS when the buffers are fuller than URGENT_SHARE. */
const PERIOD_MS = 50
const HASTE_MS = 10
const URGENT_SHARE = 1 / 4

const NO_BACKLOG: Backlog = { bytes: 0, fullest: 0, capacity: 0, lost: 0 }

export interface LoadMeterOptions {
  /** The frame rings, one per assembler. */
  rings: readonly RingProducer[]
  /** The rings behind the assemblers. */
  pairRings: readonly RingLevel[]
  control: Control
  /** Milliseconds, monotonic. */
  clock: () => number
}

export class LoadMeter {
  readonly #rings: readonly RingProducer[]
  readonly #pairRings: readonly RingLevel[]
  readonly #control: Control
  readonly #clock: () => number
  readonly #shedder = new FlowShedder()
  /** The lower of the shedder's threshold and that of `limits.cpu`. */
  #threshold: number
  #measureBacklog: () => Backlog = () => NO_BACKLOG
  #periodStart: number
  /** In this period: frames that were kept, their bytes in the rings, and frames that were lost. */
  #kept = 0
  #keptBytes = 0
  #lost = 0
  /** Bytes that waited when the period began, in the source and in the rings. */
  #inSource = 0
  #inRings = 0
  /** Average size of a kept frame. */
  #frameBytes = 0

  constructor({ rings, pairRings, control, clock }: LoadMeterOptions) {
    this.#rings = rings
    this.#pairRings = pairRings
    this.#control = control
    this.#clock = clock
    // Whether this worker replaces one that has failed.
    this.#threshold = KEEP_ALL - control.shedForCpu
    this.#periodStart = clock()
  }

  /** Connections whose hash has lower 16 bits below it are kept; KEEP_ALL while nothing is shed. */
  get threshold(): number {
    return this.#threshold
  }

  /** Whether the connection with this hash is kept. */
  keeps(hash: number): boolean {
    return isKept(hash, this.#threshold)
  }

  /** Sets how the backlog in the source is measured. Absent: the source has none. */
  watchBacklog(measure: () => Backlog): void {
    this.#measureBacklog = measure
    // Frames that waited before this worker started do not show that it is too slow.
    this.#inSource = measure().bytes
  }

  /** Counts a frame that was put into a ring. @param bytes that it occupies there */
  addKept(bytes: number): void {
    this.#kept++
    this.#keptBytes += bytes
  }

  /** Counts a frame for which its ring had no room. */
  addLost(): void {
    this.#lost++
  }

  /** Ends the period if it is due, and applies what `limits.cpu` requires. */
  update(): void {
    this.#endPeriod(this.#clock())
    this.#threshold = Math.min(this.#shedder.threshold, KEEP_ALL - this.#control.shedForCpu)
  }

  #endPeriod(now: number): void {
    const ms = now - this.#periodStart
    if (ms < HASTE_MS) return
    const source = this.#measureBacklog()
    this.#lost += source.lost
    const buffers = this.#buffers(source)
    if (ms < PERIOD_MS && buffers.fill < URGENT_SHARE) return
    const inRings = this.#rings.reduce((sum, { used }) => sum + used, 0)
    if (this.#kept > 0) this.#frameBytes = this.#keptBytes / this.#kept
    this.#shedder.endPeriod({
      ms,
      served: Math.max(0, this.#keptBytes - inRings + this.#inRings),
      grown: inRings - this.#inRings + source.bytes - this.#inSource,
      lost: this.#lost * this.#frameBytes,
      ...buffers,
      hasQuota: this.#control.cpuQuota > 0,
      // Shed early: pairs that the output cannot accept would be dropped one by one, after they have been assembled.
      outputFull: this.#pairRings.some((ring) => ring.usedBytes > ring.capacityBytes * CROWDED_SHARE),
    })
    this.#control.shedForOverload = KEEP_ALL - this.#shedder.threshold
    this.#periodStart = now
    this.#kept = this.#keptBytes = this.#lost = 0
    this.#inSource = source.bytes
    this.#inRings = inRings
  }

  /** The buffers in front of the slowest stage, which fill up when it does not keep up. */
  #buffers(source: Backlog): Pick<LoadPeriod, 'fill' | 'capacity' | 'isSourceOnly'> {
    // The assembler whose ring is fullest is the slowest one.
    const used = this.#rings.reduce((most, ring) => Math.max(most, ring.used), 0)
    const ringBytes = this.#rings[0].capacity
    const sourceFill = source.capacity === 0 ? 0 : source.fullest / source.capacity
    // Frames leave the source as long as the rings have room, so a full source in front of empty rings means a slow intake.
    if (used < ringBytes * RING_FULL_SHARE && sourceFill > used / ringBytes) {
      return { fill: sourceFill, capacity: source.capacity, isSourceOnly: true }
    }
    const capacity = ringBytes + source.capacity
    return { fill: (used + source.fullest) / capacity, capacity, isSourceOnly: false }
  }
}
