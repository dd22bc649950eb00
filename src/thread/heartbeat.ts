/** How long a worker's heartbeat has stood still. Main thread. */
import type { Control } from './control.ts'

export class Pulse {
  readonly #control: Control
  #heartbeat: number
  #movedAt: number

  /** @param now milliseconds of a monotonic clock */
  constructor(control: Control, now: number) {
    this.#control = control
    this.#heartbeat = control.heartbeat
    this.#movedAt = now
  }

  /** To be called several times a second. @returns milliseconds since it was seen moving */
  look(now: number): number {
    const { heartbeat } = this.#control
    if (heartbeat !== this.#heartbeat) {
      this.#heartbeat = heartbeat
      this.#movedAt = now
    }
    return now - this.#movedAt
  }
}
