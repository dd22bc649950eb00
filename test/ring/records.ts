/** Records whose bytes are generated from a seed, and a verifier for the other end of a ring. */
import type { RingConsumer, RingProducer } from '../../src/ring/byte-ring.ts'
import { EMPTY, FULL } from '../../src/ring/byte-ring.ts'

/** xorshift32: small, and the same on both threads. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed | 1
  }

  next(): number {
    let s = this.#state
    s ^= s << 13
    s ^= s >>> 17
    s ^= s << 5
    this.#state = s
    return s >>> 0
  }

  below(limit: number): number {
    return this.next() % limit
  }
}

/** Writes one record of `length` bytes whose bytes begin with its number. @returns false when the ring is full */
export function produce(ring: RingProducer, number: number, length: number): boolean {
  const at = ring.tryClaim(length)
  if (at === FULL) return false
  ring.words[(at >> 2) + 1] = number
  for (let i = 8; i < length; i++) ring.bytes[at + i] = number + i
  ring.commit()
  return true
}

/**
 * Consumes the ring's content, at most `limit` bytes at once, and checks that record `number` and the following ones
 * are whole.
 */
export class Verifier {
  readonly #consumer: RingConsumer
  readonly #block: Uint8Array
  readonly #view: DataView
  number = 0
  readonly #lengthOf: (number: number) => number

  /** @param lengthOf length of each record by its number */
  constructor(consumer: RingConsumer, limit: number, lengthOf: (number: number) => number) {
    this.#consumer = consumer
    this.#block = new Uint8Array(limit)
    this.#view = new DataView(this.#block.buffer)
    this.#lengthOf = lengthOf
  }

  /** @returns false if there was no whole record; throws if a record differs from the expected one */
  take(): boolean {
    const count = this.#consumer.peek(this.#block, this.#block.length)
    let used = 0
    while (used + 8 <= count) {
      const length = this.#view.getInt32(used, true)
      if (used + Math.abs(length) > count && length > 0) break
      if (length > 0) this.#check(used, length)
      used += Math.abs(length)
    }
    if (used === 0) return false
    this.#consumer.release(used)
    return true
  }

  /**
   * Takes one record where it is in the ring, without releasing it.
   *
   * @param counts,index where the ring counts it @returns as `take`
   */
  takeOne(counts: Float64Array, index: number): boolean {
    const at = this.#consumer.next()
    if (at === EMPTY) return false
    const { bytes, words } = this.#consumer
    const length = words[at >> 2]
    this.#block.set(bytes.subarray(at, at + length))
    this.#consumer.take(counts, index)
    this.#check(0, length)
    return true
  }

  #check(at: number, length: number): void {
    const number = this.#view.getInt32(at + 4, true)
    if (number !== this.number) throw new Error(`record ${number} came instead of ${this.number}`)
    const expected = this.#lengthOf(number)
    if (length !== ((expected + 7) & ~7)) throw new Error(`record ${number} is ${length} bytes long, not ${expected}`)
    for (let i = 8; i < expected; i++) {
      if (this.#block[at + i] !== ((number + i) & 255)) throw new Error(`record ${number} differs at byte ${i}`)
    }
    this.number++
  }
}
