/**
 * Decides how long frames are left in the kernel's rings while `limits.cpu` sheds connections. Each time that a capture worker reads,
 * it wakes an assembler, and that the shipper: with a tenth of a core, reading every few milliseconds what has arrived costs as much as
 * processing it. So the worker reads seldom, as long as the rings have room. Pure.
 */

/** Longest time. */
const PACE_MS = 100
/** A ring must not be fuller than this when it is read: the load may rise. */
const FULLEST_SHARE = 1 / 4
/** Shorter times are not worth it. */
const LEAST_MS = 10

export class ReadPace {
  /** Bytes read since then; milliseconds. */
  #bytes = 0
  #since = 0

  /** Counts what was read. */
  addRead(bytes: number): void {
    this.#bytes += bytes
  }

  /**
   * Call it when everything has been read.
   *
   * @param now milliseconds, monotonic @param ringBytes of the smallest ring
   * @returns for how many milliseconds frames can stay in the rings; 0: they are to be read as soon as possible
   */
  next(now: number, ringBytes: number): number {
    const perMs = this.#bytes / Math.max(1, now - this.#since)
    this.#bytes = 0
    this.#since = now
    const ms = Math.min(PACE_MS, (FULLEST_SHARE * ringBytes) / perMs)
    return ms < LEAST_MS ? 0 : Math.floor(ms)
  }
}
