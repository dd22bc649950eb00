/**
 * Sheds load when frames arrive faster than they can be processed: it drops whole connections, so that the others are
 * complete. A connection is kept while the lower half of its hash is below a threshold; the upper half chooses the
 * assembler (flow-hash.ts). Both directions of a connection have the same hash.
 *
 * The threshold follows the load in periods. Under overload it falls at once to what was processed of what arrived since
 * the backlog began; a single period would not do, because a busy machine serves a thread in bursts. What already waits was
 * admitted before, so nothing is decided until that has been processed. From then on the rate of kept frames rises above the
 * one that was sustained, slowly at first, as long as no backlog forms: so the threshold rises to everything as soon as the load
 * has ended, and stays where it is while it lasts.
 */

/** The threshold that keeps every connection. */
export const KEEP_ALL = 0x10000
/** The lowest threshold: some connections are always kept. */
const LEAST = KEEP_ALL / 256
/** Under overload the threshold falls at least and at most to these shares of itself. */
const LEAST_FALL = 0.95
const MOST_FALL = 1 / 8
/** The same while the output is full, whose speed is not measured. */
const OUTPUT_FALL = 7 / 8
/** The aim after an overload, of the rate that was sustained. */
const HEADROOM = 0.95
/** The aim rises by this in the first period without a backlog, and by twice as much every DOUBLING periods. */
const FIRST_RISE = 0.03
const DOUBLING = 4
/** The threshold at most doubles in a period, and does not rise by less than this share: each rise admits partial connections. */
const MOST_RISE = 2
const LEAST_RISE = 1.05
/**
 * A backlog, as a share of the buffer: from here on it is an overload; the threshold does not rise. Frames that the assemblers
 * have no room for leave the buffer only above the former (ring-reader.ts), so connections are shed before frames are dropped.
 */
const FULL = 5 / 8
const NOTABLE = 1 / 8
/** Weight of the latest period in the average rate of kept frames. */
const WEIGHT = 0.3
/** Each overload lowers the aim at most to this share of itself: while frames are lost, few of the kept ones are seen. */
const MOST_AIM_FALL = 0.75
/** What waited when the threshold fell is processed after this time at the latest. */
const SETTLE_MS = 1000

/** What the intake saw in one period. */
export interface LoadPeriod {
  readonly ms: number
  /** Frames processed, and those of kept connections. */
  readonly frames: number
  readonly kept: number
  /** Frames processed or lost, and those by which the backlog has grown. */
  readonly arrived: number
  /** Frames that wait in the source's buffer at the end. */
  readonly waiting: number
  /** What waits to be processed, as a share of the buffer that holds it, 0 to 1. */
  readonly backlog: number
  /** Whether frames were lost for want of room. */
  readonly lossy: boolean
  /** Whether the output cannot accept the pairs of what is kept. */
  readonly outputFull: boolean
}

export class FlowShedder {
  #threshold = KEEP_ALL
  /** Frames of kept connections per millisecond: the average since the threshold has changed, and the aim. */
  #rate = 0
  #aim = Number.POSITIVE_INFINITY
  /** Periods since the last backlog. */
  #calm = 0
  /** Frames that were admitted before the threshold fell and have not been processed, and how long to wait for them. */
  #settling = 0
  #settleMs = 0
  /** Since the backlog began. */
  #busy = { ms: 0, frames: 0, kept: 0, arrived: 0 }

  /** KEEP_ALL while nothing is shed. */
  get threshold(): number {
    return this.#threshold
  }

  /** Whether connections with this hash are kept. */
  keeps(hash: number): boolean {
    return (hash & 0xffff) < this.#threshold
  }

  endPeriod(period: LoadPeriod): void {
    const { ms, frames, kept, backlog } = period
    this.#settling -= frames
    this.#settleMs -= ms
    if (this.#settling > 0 && this.#settleMs > 0) return
    this.#add(period)
    const rate = kept / ms
    this.#rate = this.#calm === 0 ? rate : this.#rate + WEIGHT * (rate - this.#rate)
    this.#calm += 1
    if (period.lossy || period.outputFull || backlog >= FULL) this.#fall(period)
    else if (backlog >= NOTABLE) this.#calm = 1
    else if (this.#threshold < KEEP_ALL) this.#rise()
  }

  #add({ ms, frames, kept, arrived, backlog }: LoadPeriod): void {
    if (backlog < NOTABLE) this.#forget()
    const busy = this.#busy
    busy.ms += ms
    busy.frames += frames
    busy.kept += kept
    busy.arrived += arrived
  }

  #forget(): void {
    this.#busy = { ms: 0, frames: 0, kept: 0, arrived: 0 }
  }

  #fall({ waiting, outputFull }: LoadPeriod): void {
    const { ms, frames, kept, arrived } = this.#busy
    const floor = this.#aim === Number.POSITIVE_INFINITY ? 0 : this.#aim * MOST_AIM_FALL
    this.#aim = Math.max((kept / ms) * HEADROOM, floor)
    this.#calm = 0
    this.#settling = waiting
    this.#settleMs = SETTLE_MS
    const served = arrived === 0 ? 1 : frames / arrived
    const share = Math.min(LEAST_FALL, outputFull ? OUTPUT_FALL : 1, Math.max(MOST_FALL, served * HEADROOM))
    this.#threshold = Math.max(LEAST, Math.floor(this.#threshold * share))
    this.#forget()
  }

  #rise(): void {
    this.#aim = Math.max(this.#aim, this.#rate) * (1 + FIRST_RISE * 2 ** Math.floor(this.#calm / DOUBLING))
    const room = this.#aim / this.#rate
    if (room < LEAST_RISE) return
    const share = Math.min(MOST_RISE, room)
    this.#threshold = Math.min(KEEP_ALL, Math.ceil(this.#threshold * share))
    this.#rate *= share
  }
}
