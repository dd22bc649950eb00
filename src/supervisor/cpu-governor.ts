/**
 * Holds the CPU use of the process at `limits.cpu`: it decides how many connections are captured, from the CPU time that all
 * threads have used. Pure: time and CPU time are arguments.
 *
 * A bucket holds the CPU time that was used above the limit. While the agent uses less than its limit, the bucket collects a
 * credit of up to CREDIT_MS × limit, so that short bursts are captured whole. What a burst uses beyond the credit is a debt,
 * which is repaid within about REPAY_MS. So the average over some seconds meets the limit.
 *
 *     wanted use = limit − bucket / REPAY_MS        kept connections × (wanted use / measured use)
 *
 * A burst of more than twice the wanted use is shed before it has used up its credit, by its latest sample alone: the average of
 * a second still contains the quiet time before it. After a change, use is measured only once SETTLE_MS have passed, because
 * frames that were captured before it wait in the rings. The part of the use that does not depend on traffic makes each step too
 * small, never too large.
 *
 * The share is a threshold on the flow hash, as in capture/intake/flow-shedder.ts: whole connections are kept, and those kept
 * under more load are kept under less too.
 */
import { KEEP_ALL, KEEP_LEAST } from '../capture/intake/flow-shedder.ts'

const CREDIT_MS = 1000
/** The largest debt: what a burst uses beyond it is not repaid. */
const DEBT_MS = 2000
const REPAY_MS = 2000
/** Bounds of the wanted use, relative to the limit. */
const LEAST_WANTED = 1 / 2
const MOST_WANTED = 3 / 2
/** Time after a change of the threshold in which use is not measured. */
const SETTLE_MS = 200
/** Use is averaged over at most this time. */
const WINDOW_MS = 1000
/** A burst of twice the wanted use is shed at once if it would use up the credit within this time. */
const SOON_MS = 200
/** How long other use must have been too high or too low before a correction. */
const FALL_AFTER_MS = 500
const RISE_AFTER_MS = 1000
/** Smaller corrections are not made: each rise admits partial connections. */
const LEAST_FALL = 0.95
const LEAST_RISE = 1.08
const MOST_FALL = 1 / 16
const MOST_RISE = 8

export class CpuGovernor {
  readonly #limit: number
  #threshold = KEEP_ALL
  /** CPU time used above the limit, ms; negative: credit. */
  #bucket = 0
  /** The last reading; null: none yet. */
  #last: { nowMs: number; cpuMs: number } | null = null
  #sinceChangeMs = SETTLE_MS
  /** Samples of the window, newest last. */
  #window: { ms: number; used: number }[] = []

  /** @param cores above 0 */
  constructor(cores: number) {
    this.#limit = cores
    this.#bucket = -CREDIT_MS * cores
  }

  /** Connections are kept whose hash has lower 16 bits below this; KEEP_ALL: all. */
  get threshold(): number {
    return this.#threshold
  }

  /**
   * Adds a reading. Call it about ten times a second.
   *
   * @param nowMs a monotonic clock; @param cpuMs CPU time of all threads so far
   */
  sample(nowMs: number, cpuMs: number): void {
    const last = this.#last
    this.#last = { nowMs, cpuMs }
    if (last === null || nowMs <= last.nowMs) return
    // While the process was stopped (SIGSTOP) it used no CPU; that time must not become credit.
    const ms = Math.min(nowMs - last.nowMs, WINDOW_MS)
    const used = cpuMs - last.cpuMs
    this.#fill(used - this.#limit * ms)
    this.#sinceChangeMs += ms
    if (this.#sinceChangeMs > SETTLE_MS) this.#decide(ms, used)
  }

  #fill(excess: number): void {
    this.#bucket = clamp(this.#bucket + excess, -CREDIT_MS * this.#limit, DEBT_MS * this.#limit)
  }

  #decide(ms: number, used: number): void {
    const window = this.#window
    window.push({ ms, used })
    while (sumOf(window, 'ms') - window[0].ms >= WINDOW_MS) window.shift()
    const measuredMs = sumOf(window, 'ms')
    const use = sumOf(window, 'used') / measuredMs
    const wanted = clamp(this.#limit - this.#bucket / REPAY_MS, LEAST_WANTED * this.#limit, MOST_WANTED * this.#limit)
    const latest = used / ms
    if (latest > 2 * wanted && this.#bucket + (latest - this.#limit) * SOON_MS > 0) {
      this.#change(Math.max(wanted / latest, MOST_FALL))
      return
    }
    const share = use > 0 ? wanted / use : MOST_RISE
    const falls = this.#bucket > 0 && share <= LEAST_FALL && measuredMs >= FALL_AFTER_MS
    const rises = this.#threshold < KEEP_ALL && share >= LEAST_RISE && measuredMs >= RISE_AFTER_MS
    if (falls || rises) this.#change(clamp(share, MOST_FALL, MOST_RISE))
  }

  #change(factor: number): void {
    const threshold = clamp(Math.round(this.#threshold * factor), KEEP_LEAST, KEEP_ALL)
    if (threshold === this.#threshold) return
    this.#threshold = threshold
    this.#sinceChangeMs = 0
    this.#window = []
  }
}

const clamp = (value: number, least: number, most: number): number => Math.min(most, Math.max(least, value))

const sumOf = (window: readonly { ms: number; used: number }[], field: 'ms' | 'used'): number =>
  window.reduce((sum, sample) => sum + sample[field], 0)
