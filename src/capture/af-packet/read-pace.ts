/**
 * Decides how long frames are left in the kernel's rings while `limits.cpu` sheds connections. Each read of a capture
 * worker wakes an assembler, which wakes the shipper: with a tenth of a core, reading every few milliseconds costs as
 * much as processing the frames. So the worker reads rarely, as long as the rings have room. Pure.
 */

/** The longest time that frames are left in the rings. */
const PACE_MS = 100
/** Rings are read before they are fuller than this, because the load may rise. */
const FULLEST_SHARE = 1 / 4
/** Shorter pauses save too little. */
const LEAST_MS = 10

export class ReadPace {
  /** Bytes read since `#since`, which is in milliseconds. */
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
