/** Encodes pairs as records: value, key, headers, partition. Allocates no object per pair between source and batch. */

import { BATCH_HEADER_BYTES } from '../../kafka/record-batch.ts'
import { type EncodeValue, type ValueFormat, valueEncoder } from '../../pair/encode-value.ts'
import type { PairSource } from '../pair-source.ts'
import type { Batcher } from './batcher.ts'
import { EventHeaders } from './event-headers.ts'
import { findId, idLength } from './pair-id.ts'
import { createPartitioner, type PartitionBy, type Partitioner } from './partitioner.ts'

/** Upper bound of a record's bytes beside value and headers: varints and key. */
const FRAMING_BYTES = 48

export interface RecordEncoderOptions {
  /** Node name for `ce_source`. */
  node: string
  format: ValueFormat
  decode: boolean
  partitionBy: PartitionBy
}

export class RecordEncoder {
  readonly #batcher: Batcher
  readonly #partitioner: Partitioner
  readonly #headers: EventHeaders
  readonly #encode: EncodeValue | null
  #wallMs = 0
  #wallAtMs = -1

  constructor(options: RecordEncoderOptions, batcher: Batcher) {
    this.#batcher = batcher
    this.#partitioner = createPartitioner(options.partitionBy)
    const source = `/interceptor/${encodeURIComponent(options.node)}`
    this.#headers = new EventHeaders(source, `application/${options.format}`)
    this.#encode = valueEncoder(options.format, options.decode)
  }

  /**
   * Appends a pair to its partition's batch. The source does not change.
   *
   * @param maxBatchBytes the largest batch that the topic accepts; a pair that needs more is not appended
   * @returns the record's approximate length in bytes; or why the pair cannot be shipped
   */
  add(pair: PairSource, nowMs: number, maxBatchBytes: number): number | Error {
    const { bytes, start, length } = pair
    if (this.#encode === null) return this.#append(pair, bytes, start, length, nowMs, maxBatchBytes)
    const value = this.#encode(bytes.subarray(start, start + length))
    return value instanceof Error ? value : this.#append(pair, value, 0, value.length, nowMs, maxBatchBytes)
  }

  #append(
    pair: PairSource,
    value: Uint8Array,
    start: number,
    length: number,
    nowMs: number,
    maxBatchBytes: number,
  ): number | Error {
    const idAt = findId(pair.bytes, pair.start, pair.length)
    this.#headers.write(pair.bytes, idAt, idAt === -1 ? 0 : idLength(pair.bytes, idAt), pair.micros)
    const headers = this.#headers.bytes
    const recordBytes = length + headers.length + FRAMING_BYTES
    if (recordBytes + BATCH_HEADER_BYTES - FRAMING_BYTES > maxBatchBytes) {
      return new Error(`its record of ${recordBytes} bytes is larger than the topic’s max.message.bytes`)
    }
    const partition = this.#partitioner.assign(pair.connection, pair.server, this.#batcher.partitions.length)
    const arrivedMs = nowMs - (((nowMs | 0) - pair.arrivedMs) | 0)
    const batch = this.#batcher.batchFor(partition, recordBytes, arrivedMs)
    batch.append(value, start, length, this.#partitioner.key, headers, this.#wallClock(nowMs), arrivedMs)
    this.#batcher.added(batch, pair.recordBytes, nowMs)
    return recordBytes
  }

  /** The wall clock, read once for all pairs of one pump: for each it would cost 60 ns. */
  #wallClock(nowMs: number): number {
    if (nowMs !== this.#wallAtMs) {
      this.#wallAtMs = nowMs
      this.#wallMs = Date.now()
    }
    return this.#wallMs
  }
}
