/** Lays pairs as records: value, key, headers, partition. No object per pair on the way from the queue to the batch. */
import { encodeValue, type ValueFormat } from '../../pair/encode-value.ts'
import type { PairQueue } from '../pair-queue.ts'
import type { Batcher } from './batcher.ts'
import { EventHeaders } from './event-headers.ts'
import { findId, idLength } from './pair-id.ts'
import { createPartitioner, type PartitionBy, type Partitioner } from './partitioner.ts'

/** More than a record takes beside value and headers: varints and key. */
const FRAMING_BYTES = 48

export interface RecordEncoderOptions {
  /** Names this agent in `ce_source`. */
  node: string
  format: ValueFormat
  decode: boolean
  partitionBy: PartitionBy
}

export class RecordEncoder {
  readonly #batcher: Batcher
  readonly #partitioner: Partitioner
  readonly #headers: EventHeaders
  readonly #format: ValueFormat
  readonly #decode: boolean

  constructor(options: RecordEncoderOptions, batcher: Batcher) {
    this.#batcher = batcher
    this.#partitioner = createPartitioner(options.partitionBy)
    const source = `/interceptor/${encodeURIComponent(options.node)}`
    this.#headers = new EventHeaders(source, `application/${options.format}`)
    this.#format = options.format
    this.#decode = options.decode
  }

  /**
   * Appends the pair at the queue's front to its partition's batch; the queue stays as it is.
   *
   * @returns why the pair cannot be read; null when all is well
   */
  add(queue: PairQueue, nowMs: number): Error | null {
    const { bytes, start, length } = queue
    if (this.#format === 'msgpack' && !this.#decode) {
      this.#append(queue, bytes, start, length, nowMs)
      return null
    }
    const value = encodeValue(bytes.subarray(start, start + length), this.#format, this.#decode)
    if (value instanceof Error) return value
    this.#append(queue, value, 0, value.length, nowMs)
    return null
  }

  #append(queue: PairQueue, value: Uint8Array, start: number, length: number, nowMs: number): void {
    const idAt = findId(queue.bytes, queue.start, queue.length)
    this.#headers.lay(queue.bytes, idAt, idAt === -1 ? 0 : idLength(queue.bytes, idAt), queue.micros)
    const headers = this.#headers.bytes
    const partition = this.#partitioner.assign(queue.connection, queue.server, this.#batcher.lanes.length)
    const batch = this.#batcher.batchFor(partition, length + headers.length + FRAMING_BYTES, nowMs)
    batch.append(value, start, length, this.#partitioner.key, headers, Date.now(), nowMs - queue.ageMs(nowMs))
    this.#batcher.added(batch, queue.recordBytes)
  }
}
