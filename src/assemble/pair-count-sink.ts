import { FULL } from '../ring/byte-ring.ts'
import { copyBytes } from '../ring/copy-bytes.ts'
import { PAIR_FIELDS_BYTES } from '../ring/layout.ts'
import type { ProgramMemory } from './host/memory.ts'
import type { PairRingRoom } from './pair-ring-room.ts'
import type { PairSink } from './pair-sink.ts'

/** Most bytes of records that are passed on at once. */
const RUN_BYTES = 64 * PAIR_FIELDS_BYTES

/** Passes on pairs without their bytes, to a shipper that only counts them, which does not read ARRIVAL_AT. */
export class PairCountSink implements PairSink {
  readonly onlyCounts = true
  readonly #memory: Pick<ProgramMemory, 'bytes'>
  readonly #room: PairRingRoom

  constructor(memory: Pick<ProgramMemory, 'bytes'>, room: PairRingRoom) {
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
    const { ring } = this.#room
    let bytes = Math.min(end - at, RUN_BYTES, ring.maxRecord)
    let to = this.#room.tryClaim(bytes)
    if (to === FULL) {
      bytes = PAIR_FIELDS_BYTES
      to = this.#room.claim(bytes)
    }
    if (to === FULL) return at
    copyBytes(this.#memory.bytes, at, at + bytes, ring.bytes, to)
    ring.commitRecords()
    return at + bytes
  }
}
