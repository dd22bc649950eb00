/**
 * Keeps the process within the CPU quota of its control group without being stopped by it: the assembler sleeps for so long after
 * its work that all threads together use a little less than the quota. Pure: time and use are arguments.
 *
 * A process that has used up its quota stands still, for up to 0.1 s at a time, the capture thread too: then the kernel's ring
 * overflows, which holds a tenth of what the frame rings hold. The assembler uses most of the CPU and its frames wait in its frame
 * ring, so it is the one to sleep; the shedder sees that the ring fills up.
 */

/** Share of the quota that is used. */
const SHARE = 0.95
/** The largest credit and debt, as the CPU time that the quota allows in so many milliseconds. */
const CREDIT_MS = 10
const DEBT_MS = 20
/** Shorter sleeps cost more than they save; longer ones let the frame ring fill up for what the compiler has used. */
const LEAST_MS = 2
const MOST_MS = 20

export class QuotaPace {
  /** CPU time that may be used now, ms; negative: to be saved. */
  #balance = 0
  #lastMs = Number.NEGATIVE_INFINITY
  #lastCpuMs = 0

  /**
   * Call it after each piece of work.
   *
   * @param nowMs a monotonic clock @param cpuMs used by all threads so far @param quota CPUs
   * @returns for how long to sleep; 0: not at all
   */
  next(nowMs: number, cpuMs: number, quota: number): number {
    const allowed = SHARE * quota
    const change = allowed * (nowMs - this.#lastMs) - (cpuMs - this.#lastCpuMs)
    this.#balance = Math.min(CREDIT_MS * quota, Math.max(-DEBT_MS * quota, this.#balance + change))
    this.#lastMs = nowMs
    this.#lastCpuMs = cpuMs
    const pauseMs = -this.#balance / allowed
    return pauseMs < LEAST_MS ? 0 : Math.min(MOST_MS, Math.ceil(pauseMs))
  }
}
