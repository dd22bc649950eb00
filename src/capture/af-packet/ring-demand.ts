/**
 * Detects that a ring is too small for its interface: it does not hold what arrives within a pause of ten seconds of its
 * reader. Capture worker only; one per ring.
 */

/** The pause that a ring must hold the frames of. Milliseconds. */
const PAUSE_MS = 10_000
/** Share of the ring that such a pause may fill. */
const FULL_SHARE = 3 / 4

export class RingDemand {
  /** The first number of blocks that is too many. */
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
