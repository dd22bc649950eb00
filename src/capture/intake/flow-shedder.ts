/**
 * Sheds load when frames arrive faster than they can be processed: it drops whole connections, so that the others are
 * complete. A connection is kept while the lower half of its hash is below a threshold; the upper half chooses the
 * assembler (flow-hash.ts). Both directions of a connection have the same hash.
 *
 * First fall: a burst that the buffers can hold, or that unoptimised code processes slowly at first, must not shed
 * anything. So all connections are kept until the buffers have overflowed for OVERFLOWING_MS. Then the threshold falls so
 * that what is kept matches what is processed, less what drains the buffers to TARGET.
 *
 * Further falls happen before the buffers overflow: above HIGH, if at their present growth they would overflow within
 * REACTION_MS. Under lasting overload the level swings between LOW and HIGH while the threshold hardly moves, and the
 * assemblers always have work.
 *
 * Rises: below LOW the threshold rises by what the buffers could absorb, and faster while nothing waits at all. Between
 * LOW and HIGH it rises only if the program has become much faster than what arrives.
 *
 * CPU quotas: the process stands still for up to 0.1 s, in which the buffers fill up, and then empties them at full speed.
 * So a moment at which little waits does not show that more can be kept: the highest level of recent time decides on a
 * rise. For the same reason an overload that has just ended is likely to return: for RETURNING_MS the threshold falls
 * before the buffers overflow, but not before they are nearly full, because a burst after a pause is no overload.
 * With a quota this holds from the start on, because nothing is shed while the process stands still.
 *
 *     level  0 ──────── LOW ───────── TARGET ───────── HIGH ──────────── CRITICAL ──── 1
 *            threshold  │ stays                        │ falls if an     │ falls while
 *            rises      │                              │ overflow is near│ it grows
 *
 * The level is relative to what the program processes in LONGEST_WAIT_MS, if the buffers hold more than that, while
 * connections are shed: pairs need not wait longer. docs/performance.md has a diagram of this control law.
 */

/** The threshold that keeps every connection. */
export const KEEP_ALL = 0x10000
/** The lowest threshold: some connections are always kept. */
export const KEEP_LEAST = KEEP_ALL / 256

const LOW = 1 / 4
const TARGET = 3 / 8
const HIGH = 1 / 2
const CRITICAL = 7 / 8
/** Below this level nothing waits. */
const IDLE = 1 / 16
/** An overflow is near if it would happen within this time. */
const REACTION_MS = 50
/** More connections are shed once the buffers have grown for this long: a thread that was not scheduled catches up by itself. */
const GROWING_MS = 20
/** The first connections are shed once the buffers have overflowed for this long. */
const OVERFLOWING_MS = 80
/** The same where only the source's buffer overflows while the rings have room: a cold or unscheduled intake catches up. */
const SOURCE_OVERFLOWING_MS = 200
/** The times in which the level is to fall to TARGET, and to rise to it. */
const DRAIN_MS = 1000
const FILL_MS = 300
const LONGEST_WAIT_MS = 3000
/** While the buffers drain, the kept load is at least this share of the processed load. */
const LEAST_KEPT = 3 / 4
/** Time constant of the averages. */
const AVERAGE_MS = 100
/** Time constant with which a high level is forgotten. */
const LEVEL_MEMORY_MS = 100
/** An overload that follows another one within this time is a part of it. */
const RETURNING_MS = 10_000
/**
 * Bounds of one fall, as shares of the threshold. It is bounded because unoptimised code may soon be several times as
 * fast.
 */
const LEAST_FALL = 0.95
const MOST_FALL = 1 / 3
/** While the output is full, whose speed is not measured, the threshold falls to this share of itself. */
const OUTPUT_FALL = 7 / 8
/** Bounds of one rise, as factors. It is bounded because each rise admits partial connections. */
const LEAST_RISE = 1.05
/** The least rise above LOW, where the program has become faster or the load smaller. */
const LEAST_RISE_ABOVE = 1.3
const MOST_RISE = 2
/** A rise while nothing waits: the assemblers can process more than arrives, but how much more is unknown. */
const IDLE_RISE = 1.5
/** Least times between a change of the threshold and the next fall or rise, in which its effect is measured. */
const FALL_AFTER_MS = 80
const RISE_AFTER_MS = 50
const OUTPUT_FALL_AFTER_MS = 100

/** Whether connections with this hash are kept. */
export const isKept = (hash: number, threshold: number): boolean => (hash & 0xffff) < threshold

/** What the intake saw in one period. Bytes are those of kept connections, as the frame rings hold them. */
export interface LoadPeriod {
  readonly ms: number
  /** Bytes that the assemblers have read. */
  readonly served: number
  /** Bytes by which what waits has grown; negative when it has shrunk. */
  readonly grown: number
  /** Bytes lost for lack of room. */
  readonly lost: number
  /** How full the buffers in front of the bottleneck are, 0 to 1, and their capacity in bytes. */
  readonly fill: number
  readonly capacity: number
  /** Whether only the source's buffer is full: the intake is the bottleneck. */
  readonly isSourceOnly: boolean
  /** Whether the output cannot accept the pairs of what is kept. */
  readonly outputFull: boolean
  /** Whether the process has a CPU quota. */
  readonly hasQuota: boolean
}

/** How long the buffers may overflow before the first connections are shed. */
const longestOverflow = (isSourceOnly: boolean): number => (isSourceOnly ? SOURCE_OVERFLOWING_MS : OVERFLOWING_MS)

export class FlowShedder {
  #threshold = KEEP_ALL
  /** Averages, bytes per millisecond. */
  #served = 0
  #growth = 0
  /** How long the buffers have grown or overflowed without a break, and how much longer they have overflowed than not. */
  #growingMs = 0
  #overflowingMs = 0
  #sinceChangeMs = 0
  /** Since connections were shed last. */
  #sinceShedMs = Number.POSITIVE_INFINITY
  /** The highest level of recent time. */
  #highest = 0

  /** KEEP_ALL while nothing is shed. */
  get threshold(): number {
    return this.#threshold
  }

  endPeriod(period: LoadPeriod): void {
    this.#measure(period)
    const { fill, capacity, outputFull } = period
    const room = this.#threshold === KEEP_ALL ? capacity : Math.min(capacity, this.#longestQueue(capacity))
    const level = (fill * capacity) / room
    this.#highest = Math.max(level, this.#highest * Math.exp(-period.ms / LEVEL_MEMORY_MS))
    if (this.#overflows(level, room, period)) this.#fall(level, room)
    else if (outputFull) {
      if (this.#sinceChangeMs >= OUTPUT_FALL_AFTER_MS) this.#change(OUTPUT_FALL)
    } else if (this.#threshold < KEEP_ALL && this.#sinceChangeMs >= RISE_AFTER_MS && level < HIGH)
      this.#rise(this.#highest, room)
  }

  /** Whether connections are shed, or were a short time ago. */
  get #isOverloaded(): boolean {
    return this.#sinceShedMs < RETURNING_MS
  }

  #measure({ ms, served, grown, lost, isSourceOnly }: LoadPeriod): void {
    const weight = ms / (ms + AVERAGE_MS)
    this.#served += weight * (served / ms - this.#served)
    this.#growth += weight * ((grown + lost) / ms - this.#growth)
    // A thread that was not scheduled sees everything that arrived in that time in one period.
    const counted = Math.min(ms, GROWING_MS / 2)
    this.#growingMs = grown + lost > 0 ? this.#growingMs + counted : 0
    // With little CPU, periods are long and some have no loss although the load is far too high. One period alone shows nothing.
    const overflowed = Math.min(ms, longestOverflow(isSourceOnly) / 2)
    this.#overflowingMs = Math.max(0, this.#overflowingMs + (lost > 0 ? overflowed : -overflowed))
    this.#sinceChangeMs += ms
    this.#sinceShedMs = this.#threshold < KEEP_ALL ? 0 : this.#sinceShedMs + ms
  }

  /** Bytes. It has a minimum, so that a program that was stopped is detected as running again. */
  #longestQueue(capacity: number): number {
    return Math.max(capacity / 64, this.#served * LONGEST_WAIT_MS)
  }

  #overflows(level: number, room: number, { isSourceOnly, hasQuota }: LoadPeriod): boolean {
    if (!this.#isOverloaded && !hasQuota) return this.#overflowingMs >= longestOverflow(isSourceOnly)
    if (this.#growingMs < GROWING_MS || this.#sinceChangeMs < FALL_AFTER_MS || level < HIGH) return false
    return level >= CRITICAL || (1 - level) * room < this.#growth * REACTION_MS
  }

  #fall(level: number, room: number): void {
    this.#change(Math.min(LEAST_FALL, Math.max(MOST_FALL, this.#wantedShare(level, room))))
  }

  #rise(level: number, room: number): void {
    const least = level < LOW ? LEAST_RISE : LEAST_RISE_ABOVE
    const factor = Math.min(MOST_RISE, Math.max(level < IDLE ? IDLE_RISE : 1, this.#wantedShare(level, room)))
    if (factor >= least) this.#change(factor)
  }

  /** The share of the kept load to keep: as much as is processed, corrected so that the level reaches TARGET in time. */
  #wantedShare(level: number, room: number): number {
    const arriving = this.#served + this.#growth
    const toTarget = ((TARGET - level) * room) / (level > TARGET ? DRAIN_MS : FILL_MS)
    const wanted = Math.max(LEAST_KEPT * this.#served, this.#served + toTarget)
    return arriving > 0 ? wanted / arriving : MOST_RISE
  }

  /** Multiplies the threshold, and with it the expected load. */
  #change(factor: number): void {
    const arriving = this.#served + this.#growth
    this.#threshold = Math.min(KEEP_ALL, Math.max(KEEP_LEAST, Math.round(this.#threshold * factor)))
    this.#growth = arriving * factor - this.#served
    this.#growingMs = this.#overflowingMs = 0
    this.#sinceChangeMs = 0
  }
}
