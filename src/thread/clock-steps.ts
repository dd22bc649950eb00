/** Detects that the system clock, and with it the time of packets, was set. */
export class ClockSteps {
  readonly #minStepMs: number
  /** System clock minus monotonic clock. Milliseconds. */
  #differenceMs: number

  /** @param minStepMs smaller changes are ignored, such as the clock's ordinary correction */
  constructor(minStepMs: number, wallMs = Date.now(), monotonicMs = performance.now()) {
    this.#minStepMs = minStepMs
    this.#differenceMs = wallMs - monotonicMs
  }

  /** @returns by how much the clock was set since the last call; 0: it was not. Milliseconds */
  next(wallMs: number, monotonicMs: number): number {
    const differenceMs = wallMs - monotonicMs
    const stepMs = differenceMs - this.#differenceMs
    this.#differenceMs = differenceMs
    return Math.abs(stepMs) < this.#minStepMs ? 0 : stepMs
  }
}
