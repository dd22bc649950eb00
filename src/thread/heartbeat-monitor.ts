/** Measures how long a worker's heartbeat has not changed. Main thread. */
import type { Control } from './control.ts'

export class HeartbeatMonitor {
  readonly #control: Control
  #heartbeat: number
  #changedAtMs: number

  /** @param nowMs a monotonic clock, milliseconds */
  constructor(control: Control, nowMs: number) {
    this.#control = control
    this.#heartbeat = control.heartbeat
    this.#changedAtMs = nowMs
  }

  /**
   * Reads the heartbeat. The answer is as exact as the calls are frequent: call it several times a second.
   *
   * @returns milliseconds since a call first saw the present heartbeat
   */
  silentMs(nowMs: number): number {
    const { heartbeat } = this.#control
    if (heartbeat !== this.#heartbeat) {
      this.#heartbeat = heartbeat
      this.#changedAtMs = nowMs
    }
    return nowMs - this.#changedAtMs
  }

  /** Starts the measurement anew: a new thread has been started. */
  reset(nowMs: number): void {
    this.#heartbeat = this.#control.heartbeat
    this.#changedAtMs = nowMs
  }
}
