/**
 * Detects a ring that is too small for its interface: while its reader pauses for ten seconds, it would overflow. Capture
 * worker only; one per ring.
 */

/** A ring must hold the frames that arrive within such a pause of its reader. Milliseconds. */
const PAUSE_MS = 10_000
/** Share of the ring that such a pause may fill. */
const FULL_SHARE = 3 / 4

export class RingDemand {
  /** A ring that fills this many blocks within PAUSE_MS is too small. */
  readonly #tooMany: number
  /** When the blocks began to be counted. Milliseconds of `performance.now`. */
  #since = Number.NEGATIVE_INFINITY
  #blocks = 0

  /** @param blockCount of the ring */
  constructor(blockCount: number) {
    this.#tooMany = Math.floor(blockCount * FULL_SHARE) + 1
  }

  /**
   * Counts a block that was read.
   *
   * @param now milliseconds of `performance.now`
   * @returns whether the ring has turned out to be too small: once per PAUSE_MS at most
   */
  addBlock(now: number): boolean {
    if (now - this.#since >= PAUSE_MS) {
      this.#since = now
      this.#blocks = 0
    }
    this.#blocks += 1
    return this.#blocks === this.#tooMany
  }
}
