/** Measures how long a thread has shown no sign of life. Main thread. */
import type { Control } from './control.ts'

/**
 * The most time that counts between two calls. A longer pause means that the whole process was stopped or had no CPU, its
 * workers included, which is no sign of a hung worker.
 */
const MAX_STEP_MS = 500

export class HeartbeatMonitor {
  readonly #controls: readonly Control[]
  #heartbeats: number
  #calledAtMs: number
  #silentMs = 0

  /**
   * @param controls of all workers in the thread: while one of them works, the others wait
   * @param nowMs a monotonic clock, milliseconds
   */
  constructor(controls: readonly Control[], nowMs: number) {
    this.#controls = controls
    this.#heartbeats = this.#sum()
    this.#calledAtMs = nowMs
  }

  /**
   * Reads the heartbeats. Call it several times a second.
   *
   * @returns milliseconds since all of them were first seen at their present values; 0 while a worker is blocked in a
   *   system call
   */
  silentMs(nowMs: number): number {
    const isAlive = this.#sum() !== this.#heartbeats || this.#controls.some(({ isBlocked }) => isBlocked)
    if (isAlive) this.reset(nowMs)
    else this.#silentMs += Math.min(nowMs - this.#calledAtMs, MAX_STEP_MS)
    this.#calledAtMs = nowMs
    return this.#silentMs
  }

  /** Restarts the measurement, for a new thread. */
  reset(nowMs: number): void {
    this.#heartbeats = this.#sum()
    this.#calledAtMs = nowMs
    this.#silentMs = 0
  }

  #sum(): number {
    return this.#controls.reduce((sum, { heartbeat }) => sum + heartbeat, 0)
  }
}
