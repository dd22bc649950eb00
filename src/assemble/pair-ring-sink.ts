import { FULL, type RingProducer } from '../ring/byte-ring.ts'
import { copyBytes } from '../ring/copy-bytes.ts'
import type { Doorbell } from '../ring/doorbell.ts'
import { ARRIVAL_AT } from '../ring/layout.ts'
import { COMMAND_STOP, type Control } from '../thread/control.ts'
import type { ProgramMemory } from './host/memory.ts'
import type { PairSink } from './pair-sink.ts'

/** Longest sleep while waiting for room, between two heartbeats. */
const WAIT_SLICE_MS = 100

/** Copies complete pairs to the ring to the shipper. */
export class PairRingSink implements PairSink {
  readonly #memory: Pick<ProgramMemory, 'bytes'>
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
    memory: Pick<ProgramMemory, 'bytes'>,
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

  emit(record: number, size: number): boolean {
    const ring = this.#ring
    this.#wanted = size
    if (size > ring.maxRecord) return false
    if (!this.#tryClaim() && this.#waits) this.#wait()
    const claimed = this.#claimed
    if (claimed === FULL) return false
    copyBytes(this.#memory.bytes, record, record + size, ring.bytes, claimed)
    ring.words[(claimed + ARRIVAL_AT) >> 2] = 0
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
