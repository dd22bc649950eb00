/**
 * Where an assembler's records come from: a frame ring, from which blocks are copied, or a place in its own memory
 * (ring/frame-place.ts).
 */
import type { RingConsumer } from '../ring/byte-ring.ts'
import type { FramePlace } from '../ring/frame-place.ts'
import type { OpaqueMarks } from '../ring/opaque-marks.ts'
import type { Assembler } from './assembler.ts'
import { INPUT_BLOCK_BYTES, type ProgramMemory } from './host/memory.ts'
import type { Address } from './host/program.ts'

/**
 * Records of frames in place that are read at once: a failure within them loses as many frames as one within a block of
 * a ring.
 */
const PLACED_BLOCK_BYTES = 16 * 1024

export interface RecordSource {
  /** Of the ring; null: the producer leaves no payload out. */
  readonly marks: OpaqueMarks | null
  readonly empty: boolean
  /** Nothing waits, and nothing will. */
  readonly finished: boolean
  /** Address of the block that `next` provided last, or provides now. */
  readonly at: Address
  /** Provides a block of whole records. @returns its length, padding included; 0: none waits */
  next(assembler: Assembler): number
  /** Returns the room of the block to the producer. */
  release(length: number): void
}

/** A ring's blocks, copied to the assembler's input. */
export class RingSource implements RecordSource {
  readonly at: Address
  readonly marks: OpaqueMarks | null
  readonly #ring: RingConsumer
  readonly #input: Uint8Array

  /** @param memory of the assembler, into whose input blocks are copied */
  constructor(ring: RingConsumer, memory: ProgramMemory, marks: OpaqueMarks | null) {
    this.#ring = ring
    this.#input = memory.inputBytes
    this.at = memory.input
    this.marks = marks
  }

  get empty(): boolean {
    return this.#ring.empty
  }

  get finished(): boolean {
    return this.#ring.finished
  }

  next(assembler: Assembler): number {
    const { at } = this
    const length = assembler.wholeRecords(at, this.#ring.peek(this.#input, INPUT_BLOCK_BYTES))
    // A record longer than a block is copied alone.
    return length > 0 ? length : assembler.wholeRecords(at, this.#ring.peek(this.#input, this.#input.length))
  }

  release(length: number): void {
    this.#ring.release(length)
  }
}

/** Records in place. The producer writes to their room only once this thread has processed them. */
export class PlaceSource implements RecordSource {
  readonly marks = null
  readonly #place: FramePlace

  constructor(place: FramePlace) {
    this.#place = place
  }

  get at(): Address {
    return this.#place.next
  }

  get empty(): boolean {
    return this.#place.waiting === 0
  }

  get finished(): boolean {
    return this.#place.finished
  }

  next(assembler: Assembler): number {
    const { waiting, next } = this.#place
    const length = assembler.wholeRecords(next, Math.min(waiting, PLACED_BLOCK_BYTES))
    return length > 0 ? length : assembler.wholeRecords(next, waiting)
  }

  release(length: number): void {
    this.#place.release(length)
  }
}
