import { FULL } from '../ring/byte-ring.ts'
import {
  ARRIVAL_AT,
  CONNECTION_AT,
  LENGTH_AT,
  MICROS_AT,
  PAIR_FIELDS_BYTES,
  PAIR_LENGTH_AT,
  PAIR_START_AT,
  SERVER_AT,
} from '../ring/layout.ts'
import type { ProgramMemory } from './host/memory.ts'
import type { PairRingRoom } from './pair-ring-room.ts'
import type { PairSink } from './pair-sink.ts'

/** Passes on the fields of pairs without their bytes, to a shipper that only counts them. */
export class PairCountSink implements PairSink {
  readonly #memory: Pick<ProgramMemory, 'view'>
  readonly #room: PairRingRoom

  constructor(memory: Pick<ProgramMemory, 'view'>, room: PairRingRoom) {
    this.#memory = memory
    this.#room = room
  }

  emit(start: number, end: number): number {
    const { view } = this.#memory
    const { ring } = this.#room
    for (let at = start; at < end; at += view.getInt32(at + LENGTH_AT, true)) {
      const to = this.#room.claim(PAIR_FIELDS_BYTES)
      if (to === FULL) return at
      ring.words[(to + CONNECTION_AT) >> 2] = view.getInt32(at + CONNECTION_AT, true)
      ring.doubles[(to + MICROS_AT) >> 3] = view.getFloat64(at + MICROS_AT, true)
      ring.words[(to + PAIR_LENGTH_AT) >> 2] = view.getInt32(at + PAIR_LENGTH_AT, true)
      ring.words[(to + PAIR_START_AT) >> 2] = PAIR_FIELDS_BYTES
      ring.words[(to + SERVER_AT) >> 2] = view.getInt32(at + SERVER_AT, true)
      ring.words[(to + ARRIVAL_AT) >> 2] = 0
      ring.commit()
    }
    return end
  }
}
