import { FULL, type RingProducer } from '../ring/byte-ring.ts'
import { copyBytes } from '../ring/copy-bytes.ts'
import type { Doorbell } from '../ring/doorbell.ts'
import { ARRIVAL_AT, LENGTH_AT } from '../ring/layout.ts'
import { COMMAND_STOP, type Control } from '../thread/control.ts'
import type { ProgramMemory } from './host/memory.ts'
import type { PairSink } from './pair-sink.ts'

/** Longest sleep while waiting for room, between two heartbeats. */
const WAIT_SLICE_MS = 100

/** Most bytes of records that are copied at once, except for a single larger record. */
const RUN_BYTES = 64 * 1024

/** Copies complete pairs to the ring to the shipper: runs of records at once, since each copy costs as much as some hundred bytes. */
export class PairRingSink implements PairSink {
  readonly #memory: Pick<ProgramMemory, 'bytes' | 'view'>
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

  constructor(
    memory: Pick<ProgramMemory, 'bytes' | 'view'>,
    ring: RingProducer,
    whenFull: 'wait' | 'drop',
    bell: Doorbell,
    control: Control,
  ) {
    this.#memory = memory
    this.#ring = ring
    this.#waits = whenFull === 'wait'
    this.#bell = bell
    this.#control = control
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
    const ring = this.#ring
    const afterFirst = this.#after(at)
    if (afterFirst - at > ring.maxRecord) return at
    const limit = Math.min(end, at + Math.min(RUN_BYTES, ring.maxRecord))
    let runEnd = afterFirst
    while (runEnd < limit && this.#after(runEnd) <= limit) runEnd = this.#after(runEnd)
    this.#claim(runEnd - at)
    if (this.#claimed === FULL && runEnd > afterFirst) {
      runEnd = afterFirst
      this.#claim(runEnd - at)
    }
    if (this.#claimed === FULL && this.#waits) this.#wait()
    if (this.#claimed === FULL) return at
    const shift = this.#claimed - at
    copyBytes(this.#memory.bytes, at, runEnd, ring.bytes, this.#claimed)
    for (let record = at; record < runEnd; record = this.#after(record)) {
      ring.words[(record + shift + ARRIVAL_AT) >> 2] = 0
    }
    ring.commitRecords()
    return runEnd
  }

  /** The address after a record. */
  #after(record: number): number {
    return record + this.#memory.view.getInt32(record + LENGTH_AT, true)
  }

  #claim(bytes: number): void {
    this.#wanted = bytes
    this.#tryClaim()
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
