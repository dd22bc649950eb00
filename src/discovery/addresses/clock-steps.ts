/** Detects that the wall clock, and with it the time of packets, was set. Main thread. */

/** Slower changes are the clock's ordinary correction. Milliseconds. */
const MIN_STEP_MS = 1000

export class ClockSteps {
  /** Wall clock minus monotonic clock. Milliseconds. */
  #differenceMs: number

  constructor(wallMs = Date.now(), monotonicMs = performance.now()) {
    this.#differenceMs = wallMs - monotonicMs
  }

  /** @returns by how much the wall clock was set since the last call; 0: it was not. Milliseconds */
  next(wallMs = Date.now(), monotonicMs = performance.now()): number {
    const differenceMs = wallMs - monotonicMs
    const stepMs = differenceMs - this.#differenceMs
    this.#differenceMs = differenceMs
    return Math.abs(stepMs) < MIN_STEP_MS ? 0 : stepMs
  }
}
