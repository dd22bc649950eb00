/** Room in the ring to the shipper: files wait for it, live capture does not. */
import { FULL, type RingProducer } from '../ring/byte-ring.ts'
import type { Doorbell } from '../ring/doorbell.ts'
import { COMMAND_STOP, type Control } from '../thread/control.ts'

/** Longest sleep while waiting for room, between two heartbeats. */
const WAIT_SLICE_MS = 100

export class PairRingRoom {
  readonly ring: RingProducer
  readonly #waits: boolean
  readonly #bell: Doorbell
  readonly #control: Control
  #wanted = 0
  #claimed = FULL
  readonly #isDone = (): boolean => this.#claim() || this.#control.command === COMMAND_STOP

  /** @param bell rung when the ring has room again */
  constructor(ring: RingProducer, whenFull: 'wait' | 'drop', bell: Doorbell, control: Control) {
    this.ring = ring
    this.#waits = whenFull === 'wait'
    this.#bell = bell
    this.#control = control
  }

  /** Claims room for a record, as RingProducer.tryClaim does. */
  tryClaim(bytes: number): number {
    this.#wanted = bytes
    this.#claim()
    return this.#claimed
  }

  /** The same, but where input waits it returns FULL only after COMMAND_STOP. */
  claim(bytes: number): number {
    if (this.tryClaim(bytes) !== FULL || !this.#waits) return this.#claimed
    this.ring.flush()
    while (!this.#isDone()) {
      this.#control.beat()
      this.#bell.wait(WAIT_SLICE_MS, this.#isDone)
      if (this.#claimed !== FULL) break
    }
    return this.#claimed
  }

  #claim(): boolean {
    this.#claimed = this.ring.tryClaim(this.#wanted)
    return this.#claimed !== FULL
  }
}
