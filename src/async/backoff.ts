/** How long to wait before something that failed is tried again. Every retry of the program follows this one policy. */

export interface BackoffPolicy {
  /** The shortest wait. */
  minMs: number
  /** The range above `minMs` in which the first wait is chosen; it doubles with each further failure. */
  firstMs: number
  /** The longest wait. */
  maxMs: number
  /** Success for this long makes the next wait a first one again; absent: only `reset` does. */
  healthyMs?: number
}

/** Beyond this many failures the wait no longer grows; it keeps 2^failures finite. */
const MAX_FAILURES = 30

/**
 * The wait after `failures` earlier failures: `minMs` and a random part of up to `firstMs × 2^failures`, at most `maxMs`.
 * It is random so that many agents that lost the same server do not all return to it at the same moment.
 *
 * @param random 0 to 1
 */
export function backoffMs({ minMs, firstMs, maxMs }: BackoffPolicy, failures: number, random = Math.random()): number {
  const range = Math.min(firstMs * 2 ** Math.min(failures, MAX_FAILURES), maxMs - minMs)
  return Math.round(minMs + random * range)
}

/** Counts the failures in a row of one operation that is retried. */
export class Backoff {
  readonly #policy: BackoffPolicy
  readonly #random: () => number
  #failures = 0

  /** @param random 0 to 1 */
  constructor(policy: BackoffPolicy, random: () => number = Math.random) {
    this.#policy = policy
    this.#random = random
  }

  /** Counts a failure. @param atLeastMs the wait that the server requested @returns the wait before the next attempt */
  next(atLeastMs = 0): number {
    const wait = backoffMs(this.#policy, this.#failures, this.#random())
    this.#failures += 1
    return Math.max(0, atLeastMs - this.#policy.minMs) + wait
  }

  /** The operation worked for this long before it failed or ended. */
  worked(ms: number): void {
    if (ms >= (this.#policy.healthyMs ?? Number.POSITIVE_INFINITY)) this.reset()
  }

  /** The operation works: the next wait is a first one again. */
  reset(): void {
    this.#failures = 0
  }
}
