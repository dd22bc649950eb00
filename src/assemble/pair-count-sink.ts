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

/** Most pairs that are passed on at once: a claim for each costs more than its fields. */
const RUN_PAIRS = 64

/** Passes on the fields of pairs without their bytes, to a shipper that only counts them. */
export class PairCountSink implements PairSink {
  readonly #memory: Pick<ProgramMemory, 'view'>
  readonly #room: PairRingRoom

  constructor(memory: Pick<ProgramMemory, 'view'>, room: PairRingRoom) {
    this.#memory = memory
    this.#room = room
  }

  emit(start: number, end: number): number {
    let at = start
    while (at < end) {
      const next = this.#passRun(at, end)
      if (next === at) return at
      at = next
    }
    return end
  }

  /** Passes on pairs from `at` on, or the first alone where there is room for no more. @returns the address after them */
  #passRun(at: number, end: number): number {
    let pairs = this.#count(at, end)
    let to = this.#room.tryClaim(pairs * PAIR_FIELDS_BYTES)
    if (to === FULL) {
      pairs = 1
      to = this.#room.claim(PAIR_FIELDS_BYTES)
    }
    if (to === FULL) return at
    const next = this.#put(at, to, pairs)
    this.#room.ring.commitRecords()
    return next
  }

  /** Pairs at [at, end), up to what is passed on at once. */
  #count(at: number, end: number): number {
    const { view } = this.#memory
    const most = Math.min(RUN_PAIRS, this.#room.ring.maxRecord / PAIR_FIELDS_BYTES)
    let pairs = 0
    for (let pair = at; pair < end && pairs < most; pairs++) pair += view.getInt32(pair + LENGTH_AT, true)
    return pairs
  }

  /** Writes the fields of `pairs` pairs from `at` on to the ring. @returns the address after these pairs */
  #put(at: number, to: number, pairs: number): number {
    const { view } = this.#memory
    const { words, doubles } = this.#room.ring
    const toEnd = to + pairs * PAIR_FIELDS_BYTES
    let pair = at
    for (let record = to; record < toEnd; record += PAIR_FIELDS_BYTES) {
      words[(record + LENGTH_AT) >> 2] = PAIR_FIELDS_BYTES
      words[(record + CONNECTION_AT) >> 2] = view.getInt32(pair + CONNECTION_AT, true)
      doubles[(record + MICROS_AT) >> 3] = view.getFloat64(pair + MICROS_AT, true)
      words[(record + PAIR_LENGTH_AT) >> 2] = view.getInt32(pair + PAIR_LENGTH_AT, true)
      words[(record + PAIR_START_AT) >> 2] = PAIR_FIELDS_BYTES
      words[(record + SERVER_AT) >> 2] = view.getInt32(pair + SERVER_AT, true)
      words[(record + ARRIVAL_AT) >> 2] = 0
      pair += view.getInt32(pair + LENGTH_AT, true)
    }
    return pair
  }
}
