/** How long to wait before the API server is asked again: at least a second, longer each time it fails, never in step. */

export interface BackoffOptions {
  /** Never sooner than this after the last try ended. */
  minMs: number
  /** The spread of the first wait; it doubles with each failure up to maxMs. */
  firstMs: number
  maxMs: number
  /** 0 to 1. Absent: Math.random. */
  random?: () => number
}

/** Waits of `min + random × first × 2^failures`: the spread keeps the agents of a cluster from coming back all at once. */
export class Backoff {
  readonly #options: BackoffOptions
  #failures = 0

  constructor(options: BackoffOptions) {
    this.#options = options
  }

  /** It went well: the next wait is a first one again. */
  reset(): void {
    this.#failures = 0
  }

  /** The wait before the next try. @param atLeastMs what the server asked for */
  next(atLeastMs = 0): number {
    const { minMs, firstMs, maxMs, random = Math.random } = this.#options
    const spread = Math.min(firstMs * 2 ** this.#failures, maxMs - minMs)
    this.#failures = Math.min(this.#failures + 1, 30)
    return Math.round(Math.max(minMs, atLeastMs) + random() * spread)
  }
}
