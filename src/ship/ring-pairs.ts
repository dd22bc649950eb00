/**
 * The pairs of one ring, read where they are, for a sink that copies each of them at once. Thread: the shipper's. A pair that
 * was taken stays in the ring's memory until `end`.
 */
import type { CounterCell } from '../ledger/ship-ledger.ts'
import { EMPTY, type RingConsumer } from '../ring/byte-ring.ts'
import { CONNECTION_AT, LENGTH_AT, MICROS_AT, PAIR_LENGTH_AT, PAIR_START_AT, SERVER_AT } from '../ring/layout.ts'
import type { PairSource } from './pair-source.ts'

export class RingPairs implements PairSource {
  readonly bytes: Uint8Array
  start = 0
  length = 0
  recordBytes = 0
  connection = 0
  server = 0
  micros = 0
  arrivedMs = 0
  readonly #ring: RingConsumer
  readonly #read: CounterCell
  #limit = 0
  #taken = 0

  /** @param read where pairs are counted as they are taken */
  constructor(ring: RingConsumer, read: CounterCell) {
    this.#ring = ring
    this.#read = read
    this.bytes = ring.bytes
  }

  /** @param limit of bytes taken until `end`, exceeded by at most one pair */
  begin(limit: number, nowMs: number): void {
    this.#limit = limit
    this.#taken = 0
    this.arrivedMs = nowMs | 0
  }

  front(): boolean {
    if (this.#taken >= this.#limit) return false
    const { words, doubles } = this.#ring
    const at = this.#ring.next()
    if (at === EMPTY) return false
    this.recordBytes = words[(at + LENGTH_AT) >> 2]
    this.length = words[(at + PAIR_LENGTH_AT) >> 2]
    this.start = at + words[(at + PAIR_START_AT) >> 2]
    this.connection = words[(at + CONNECTION_AT) >> 2] >>> 0
    this.server = words[(at + SERVER_AT) >> 2] >>> 0
    this.micros = doubles[(at + MICROS_AT) >> 3]
    return true
  }

  take(): void {
    this.#taken += this.recordBytes
    this.#ring.take(this.#read.counts, this.#read.index)
  }

  /** Releases the pairs that were taken. @returns their bytes */
  end(): number {
    this.#ring.releaseTaken()
    return this.#taken
  }
}
