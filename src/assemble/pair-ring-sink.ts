import { FULL, type RingProducer } from '../ring/byte-ring.ts'
import { copyBytes } from '../ring/copy-bytes.ts'
import type { Doorbell } from '../ring/doorbell.ts'
import {
  ARRIVAL_AT,
  CONNECTION_AT,
  MICROS_AT,
  PAIR_FIELDS_BYTES,
  PAIR_LENGTH_AT,
  PAIR_START_AT,
  SERVER_AT,
} from '../ring/layout.ts'
import { COMMAND_STOP, type Control } from '../thread/control.ts'
import type { PairSink } from './http1/outcomes.ts'
import type { Arena } from './memory/arena.ts'

/** Longest sleep while waiting for room, between two heartbeats. */
const WAIT_SLICE_MS = 100

/** Writes complete pairs to the ring to the shipper, as records of ring/layout.ts. */
export class PairRingSink implements PairSink {
  readonly #arena: Arena
  readonly #ring: RingProducer
  readonly #waits: boolean
  readonly #bell: Doorbell
  readonly #control: Control
  #wanted = 0
  #claimed = FULL
  readonly #tryClaim = (): boolean => {
    this.#claimed = this.#ring.tryClaim(this.#wanted)
    return this.#claimed !== FULL || this.#control.command === COMMAND_STOP
  }

  constructor(arena: Arena, ring: RingProducer, whenFull: 'wait' | 'drop', bell: Doorbell, control: Control) {
    this.#arena = arena
    this.#ring = ring
    this.#waits = whenFull === 'wait'
    this.#bell = bell
    this.#control = control
  }

  emit(at: number, length: number, key: number, server: number, micros: number): boolean {
    const ring = this.#ring
    this.#wanted = PAIR_FIELDS_BYTES + length
    if (this.#wanted > ring.maxRecord) return false
    if (!this.#tryClaim() && this.#waits) this.#wait()
    const record = this.#claimed
    if (record === FULL) return false
    ring.words[(record + CONNECTION_AT) >> 2] = key
    ring.doubles[(record + MICROS_AT) >> 3] = micros
    ring.words[(record + PAIR_LENGTH_AT) >> 2] = length
    ring.words[(record + PAIR_START_AT) >> 2] = PAIR_FIELDS_BYTES
    ring.words[(record + SERVER_AT) >> 2] = server
    ring.words[(record + ARRIVAL_AT) >> 2] = 0
    copyBytes(this.#arena.bytes, at, at + length, ring.bytes, record + PAIR_FIELDS_BYTES)
    ring.commit()
    return true
  }

  #wait(): void {
    this.#ring.flush()
    while (!this.#tryClaim()) {
      this.#control.beat()
      this.#bell.wait(WAIT_SLICE_MS, this.#tryClaim)
      if (this.#claimed !== FULL) return
    }
  }
}
