/** Measures how long a worker's heartbeat has not changed. Main thread. */
import type { Control } from './control.ts'

/**
 * The most time that counts between two calls. A longer pause means that the whole process was stopped or had no CPU, its
 * workers included, which is no sign of a hung worker.
 */
const MAX_STEP_MS = 500

export class HeartbeatMonitor {
  readonly #control: Control
  #heartbeat: number
  #calledAtMs: number
  #silentMs = 0

  /** @param nowMs a monotonic clock, milliseconds */
  constructor(control: Control, nowMs: number) {
    this.#control = control
    this.#heartbeat = control.heartbeat
    this.#calledAtMs = nowMs
  }

  /**
   * Reads the heartbeat. Call it several times a second.
   *
   * @returns milliseconds since it was first seen at its present value
   */
  silentMs(nowMs: number): number {
    const { heartbeat } = this.#control
    if (heartbeat === this.#heartbeat) this.#silentMs += Math.min(nowMs - this.#calledAtMs, MAX_STEP_MS)
    else this.reset(nowMs)
    this.#calledAtMs = nowMs
    return this.#silentMs
  }

  /** Restarts the measurement, for a new thread. */
  reset(nowMs: number): void {
    this.#heartbeat = this.#control.heartbeat
    this.#calledAtMs = nowMs
    this.#silentMs = 0
  }
}
