/** The shipper's part of the ledger. The shipper is the only writer, so plain stores are enough. */
import { SHIP_COUNTERS } from './counters.ts'

const { index } = SHIP_COUNTERS

/** Why a kept pair did not reach the output: the `pairs.dropped` reasons that the shipper itself counts. */
export type DropReason = 'maxAge' | 'bufferBytes' | 'rejected' | 'shutdown' | 'crash'

const DROP_INDEX: Readonly<Record<DropReason, number>> = {
  maxAge: index.droppedMaxAge,
  bufferBytes: index.droppedBufferBytes,
  rejected: index.droppedRejected,
  shutdown: index.droppedShutdown,
  crash: index.droppedCrash,
}

/** One counter in its block. */
export interface CounterCell {
  readonly counts: Float64Array
  readonly index: number
}

export class ShipLedger {
  readonly #counters: Float64Array

  /** @param counters a block with the layout of SHIP_COUNTERS; this thread is its only writer */
  constructor(counters: Float64Array) {
    this.#counters = counters
  }

  /**
   * The counter of pairs that were shipped, or dropped for a reason. A batch counts its pairs and ends in one step, because a
   * thread that ended between the two would leave pairs that are counted already.
   */
  cell(what: 'shipped' | DropReason): CounterCell {
    return { counts: this.#counters, index: what === 'shipped' ? index.shipped : DROP_INDEX[what] }
  }

  /** The counter of pairs read from the rings, for those that are counted as each is taken. */
  get readCell(): CounterCell {
    return { counts: this.#counters, index: index.pairsRead }
  }

  /** Bytes that the output accepted, of pairs that are counted otherwise. */
  shippedBytes(bytes: number): void {
    this.#counters[index.bytesShipped] += bytes
  }

  /** Pairs accepted by the output. @param bytes as written, or as acknowledged by the broker */
  shipped(pairs: number, bytes: number): void {
    this.#counters[index.shipped] += pairs
    this.#counters[index.bytesShipped] += bytes
  }

  dropped(reason: DropReason, pairs: number): void {
    this.#counters[DROP_INDEX[reason]] += pairs
  }

  /** Pairs read from the rings. */
  read(pairs: number): void {
    this.#counters[index.pairsRead] += pairs
  }

  /** The gauge: pairs held now. */
  set queued(pairs: number) {
    this.#counters[index.queued] = pairs
  }

  get shippedPairs(): number {
    return this.#counters[index.shipped]
  }
}
