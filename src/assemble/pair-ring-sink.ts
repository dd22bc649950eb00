import { FULL } from '../ring/byte-ring.ts'
import { copyBytes } from '../ring/copy-bytes.ts'
import { ARRIVAL_AT, LENGTH_AT } from '../ring/layout.ts'
import type { ProgramMemory } from './host/memory.ts'
import type { PairRingRoom } from './pair-ring-room.ts'
import type { PairSink } from './pair-sink.ts'

/** Most bytes of records that are copied at once, except for a single larger record. */
const RUN_BYTES = 64 * 1024

/**
 * Copies complete pairs to the ring to the shipper: runs of records at once, since each copy costs as much as some
 * hundred bytes.
 */
export class PairRingSink implements PairSink {
  readonly #memory: Pick<ProgramMemory, 'bytes' | 'view'>
  readonly #room: PairRingRoom

  constructor(memory: Pick<ProgramMemory, 'bytes' | 'view'>, room: PairRingRoom) {
    this.#memory = memory
    this.#room = room
  }

  emit(start: number, end: number): number {
    let at = start
    while (at < end) {
      const next = this.#copyRun(at, end)
      if (next === at) return at
      at = next
    }
    return end
  }

  /** Copies records from `at` on, or the first alone where there is room for no more. @returns the address after them */
  #copyRun(at: number, end: number): number {
    const { ring } = this.#room
    const afterFirst = this.#after(at)
    if (afterFirst - at > ring.maxRecord) return at
    const limit = Math.min(end, at + Math.min(RUN_BYTES, ring.maxRecord))
    let runEnd = afterFirst
    while (runEnd < limit && this.#after(runEnd) <= limit) runEnd = this.#after(runEnd)
    let claimed = this.#room.tryClaim(runEnd - at)
    if (claimed === FULL) {
      runEnd = afterFirst
      claimed = this.#room.claim(runEnd - at)
    }
    if (claimed === FULL) return at
    copyBytes(this.#memory.bytes, at, runEnd, ring.bytes, claimed)
    for (let record = at; record < runEnd; record = this.#after(record)) {
      ring.words[(record - at + claimed + ARRIVAL_AT) >> 2] = 0
    }
    ring.commitRecords()
    return runEnd
  }

  /** The address after a record. */
  #after(record: number): number {
    return record + this.#memory.view.getInt32(record + LENGTH_AT, true)
  }
}
