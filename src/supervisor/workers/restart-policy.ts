/**
 * When a crashed worker is started again: after a delay that grows with each crash and starts over once a run was healthy.
 * Never where that does not help: a worker that has never worked, or one that crashes again and again while draining. Pure,
 * but for the randomness of the delays.
 */
import { Backoff } from '../../async/backoff.ts'

/** Delays before restarts. A run that was ready for a second was healthy. */
const RESTART = { minMs: 50, firstMs: 50, maxMs: 10_000, healthyMs: 1_000 }
/** This many crashes within LOOP_MS are a crash loop. */
const LOOP_CRASHES = 3
const LOOP_MS = 60_000
/** Crashes before the first `ready` after which a worker is not restarted: it has never worked, and will not. */
const MAX_FIRST_CRASHES = 5
/** Crashes while draining after which a worker is not restarted, so that the run can end. */
const MAX_DRAIN_CRASHES = 3

export interface Crash {
  /** On the clock of `isLooping`. Milliseconds, monotonic. */
  nowMs: number
  /** How long the run had been ready; null: it never was. */
  readyMs: number | null
  isDraining: boolean
}

export class RestartPolicy {
  /** Crashes that were followed by another run. */
  restarts = 0
  /** Whether a run was ever ready, or can be expected to be. */
  hasWorked = false
  readonly #backoff: Backoff
  /** Times of the newest crashes, oldest first. */
  #crashes: number[] = []
  #drainCrashes = 0

  /** @param random 0 to 1, for the delays; absent: `Math.random` */
  constructor(random?: () => number) {
    this.#backoff = new Backoff(RESTART, random)
  }

  /** Records a crash. @returns the delay before the next run, milliseconds; null: a restart does not help */
  crashed({ nowMs, readyMs, isDraining }: Crash): number | null {
    this.#crashes = [...this.#crashes, nowMs].slice(-LOOP_CRASHES)
    if (isDraining) this.#drainCrashes += 1
    const helps = isDraining
      ? this.#drainCrashes < MAX_DRAIN_CRASHES
      : this.hasWorked || this.restarts < MAX_FIRST_CRASHES - 1
    if (!helps) return null
    this.restarts += 1
    if (readyMs !== null) this.#backoff.worked(readyMs)
    return isDraining ? 0 : this.#backoff.next()
  }

  /** Whether the worker crashed at least three times within the last minute. */
  isLooping(nowMs: number): boolean {
    return this.#crashes.length === LOOP_CRASHES && nowMs - this.#crashes[0] < LOOP_MS
  }
}
