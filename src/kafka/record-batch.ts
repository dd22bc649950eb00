/**
 * Kafka record batches, format v2 (magic 2; KIP-98, KIP-82; kafka.apache.org/documentation/#recordbatch), encoded from
 * a pair's bytes into a reused buffer. Pure: no network, no clock.
 *
 *      0 baseOffset i64 = 0          21 attributes i16 (bits 0–2: compression)     43 producerId i64 = −1
 *      8 batchLength i32 (from 12)   23 lastOffsetDelta i32                        51 producerEpoch i16 = −1
 *     12 partitionLeaderEpoch i32    27 baseTimestamp i64, ms                      53 baseSequence i32 = −1
 *     16 magic i8 = 2                35 maxTimestamp i64, ms                       57 recordCount i32
 *     17 crc u32: CRC-32C from 21                                                  61 records, compressed as one
 *
 *     record: length varint · attributes i8 · timestampDelta varlong · offsetDelta varint
 *             · key length varint (−1: none) · key · value length varint · value · header count varint · headers
 *
 * Varints are zigzag and little-endian base 128 (Protocol Buffers' sint32); everything else is big-endian.
 */
import { crc32c } from '@node-rs/crc32'
import { copyBytes } from '../ring/copy-bytes.ts'

export const BATCH_HEADER_BYTES = 61
const LENGTH_FROM = 12
const CRC_AT = 17
const ATTRIBUTES_AT = 21
const MAGIC = 2
/** Bound of a record's bytes beside key, value and headers: five varints of at most 5 bytes, one byte of attributes. */
const RECORD_FRAMING_BYTES = 32
const INITIAL_BYTES = 16 * 1024

/** Bytes of `value` as a zigzag varint; int32. */
export function varintBytes(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0
  if (zigzag < 0x80) return 1
  if (zigzag < 0x4000) return 2
  if (zigzag < 0x200000) return 3
  return zigzag < 0x10000000 ? 4 : 5
}

/** Writes `value` (int32) as a zigzag varint at `at`. @returns the offset behind it */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let zigzag = ((value << 1) ^ (value >> 31)) >>> 0
  let end = at
  while (zigzag >= 0x80) {
    bytes[end] = (zigzag & 0x7f) | 0x80
    end += 1
    zigzag >>>= 7
  }
  bytes[end] = zigzag
  return end + 1
}

/** Reads a zigzag varint at `at`; its length is `varintBytes` of the result. */
export function readVarint(bytes: Uint8Array, at: number): number {
  let zigzag = 0
  for (let shift = 0, end = at; ; shift += 7, end += 1) {
    zigzag |= (bytes[end] & 0x7f) << shift
    if (bytes[end] < 0x80) break
  }
  return (zigzag >>> 1) ^ -(zigzag & 1)
}

/** The records of one batch, in a buffer that grows with them. */
export class RecordBatch {
  count = 0
  /** Bytes used, batch header included. */
  size = BATCH_HEADER_BYTES
  /** Bytes that its pairs count for in the shipper's buffer: set by the caller, divided when the batch is split. */
  heldBytes = 0
  /** Arrival times of the oldest and the newest pair, on the shipper's clock. */
  oldestMs = 0
  newestMs = 0
  #bytes: Uint8Array
  #view: DataView
  #baseTimestamp = 0
  #maxTimestamp = 0

  constructor(capacity = INITIAL_BYTES) {
    this.#bytes = new Uint8Array(capacity)
    this.#view = new DataView(this.#bytes.buffer)
  }

  get capacity(): number {
    return this.#bytes.length
  }

  /** Removes all records and keeps the memory. */
  clear(): void {
    this.count = 0
    this.size = BATCH_HEADER_BYTES
    this.heldBytes = 0
  }

  /**
   * Adds one record.
   *
   * @param value,start,length the value's bytes, copied
   * @param key null: a record without key
   * @param headers the encoded headers with their count in front, copied
   * @param timestampMs the record's CreateTime, wall clock
   * @param arrivedMs when the pair arrived, on the shipper's clock
   */
  append(
    value: Uint8Array,
    start: number,
    length: number,
    key: Uint8Array | null,
    headers: Uint8Array,
    timestampMs: number,
    arrivedMs: number,
  ): void {
    const keyBytes = key === null ? 0 : key.length
    this.#reserve(length + keyBytes + headers.length + RECORD_FRAMING_BYTES)
    if (this.count === 0) this.#begin(timestampMs, arrivedMs)
    if (timestampMs > this.#maxTimestamp) this.#maxTimestamp = timestampMs
    this.newestMs = arrivedMs
    const delta = timestampMs - this.#baseTimestamp
    const keyLength = key === null ? -1 : keyBytes
    const bytes = this.#bytes
    const body =
      1 +
      varintBytes(delta) +
      varintBytes(this.count) +
      varintBytes(keyLength) +
      keyBytes +
      varintBytes(length) +
      length
    let at = writeVarint(bytes, this.size, body + headers.length)
    bytes[at] = 0
    at = writeVarint(bytes, at + 1, delta)
    at = writeVarint(bytes, at, this.count)
    at = writeVarint(bytes, at, keyLength)
    for (let index = 0; index < keyBytes; index += 1) bytes[at + index] = key![index]
    at = writeVarint(bytes, at + keyBytes, length)
    copyBytes(value, start, start + length, bytes, at)
    bytes.set(headers, at + length)
    this.size = at + length + headers.length
    this.count += 1
  }

  /** The records alone, to be compressed. Valid until the batch changes. */
  get records(): Uint8Array {
    return this.#bytes.subarray(BATCH_HEADER_BYTES, this.size)
  }

  /** Writes the batch header. @returns the whole batch, uncompressed; valid until the batch changes */
  seal(): Uint8Array {
    const whole = this.#bytes.subarray(0, this.size)
    this.#writeHeader(this.#view, 0, this.size)
    this.#view.setUint32(CRC_AT, crc32c(whole.subarray(ATTRIBUTES_AT)))
    return whole
  }

  /**
   * Like `seal`, for compressed records.
   *
   * @param attributes the codec's number (codecs.ts) @returns the batch header, to be followed by `compressed`
   */
  sealCompressed(compressed: Uint8Array, attributes: number): Uint8Array {
    const header = new Uint8Array(BATCH_HEADER_BYTES)
    const view = new DataView(header.buffer)
    this.#writeHeader(view, attributes, BATCH_HEADER_BYTES + compressed.length)
    view.setUint32(CRC_AT, crc32c(compressed, crc32c(header.subarray(ATTRIBUTES_AT))))
    return header
  }

  /** Moves the newer half of its records, at least two, to a new batch. @returns the new batch */
  split(): RecordBatch {
    const keep = this.count >> 1
    let at = BATCH_HEADER_BYTES
    for (let index = 0; index < keep; index += 1) at = this.#recordEnd(at)
    const newer = new RecordBatch(this.size - at + BATCH_HEADER_BYTES)
    newer.#begin(this.#baseTimestamp, this.oldestMs)
    newer.#maxTimestamp = this.#maxTimestamp
    newer.newestMs = this.newestMs
    for (let from = at; from < this.size; from = this.#recordEnd(from)) newer.#adopt(this.#bytes, from)
    newer.heldBytes = Math.round((this.heldBytes * newer.count) / this.count)
    this.heldBytes -= newer.heldBytes
    this.count = keep
    this.size = at
    return newer
  }

  #begin(timestampMs: number, arrivedMs: number): void {
    this.#baseTimestamp = timestampMs
    this.#maxTimestamp = timestampMs
    this.oldestMs = arrivedMs
  }

  #recordEnd(at: number): number {
    const length = readVarint(this.#bytes, at)
    return at + varintBytes(length) + length
  }

  /**
   * Copies a record of another batch with the same base timestamp. Its offset delta changes, which may change its
   * length.
   */
  #adopt(source: Uint8Array, from: number): void {
    const length = readVarint(source, from)
    const body = from + varintBytes(length)
    const delta = readVarint(source, body + 1)
    const offsetAt = body + 1 + varintBytes(delta)
    const rest = offsetAt + varintBytes(readVarint(source, offsetAt))
    const restBytes = body + length - rest
    this.#reserve(length + RECORD_FRAMING_BYTES)
    const bytes = this.#bytes
    let at = writeVarint(bytes, this.size, 1 + varintBytes(delta) + varintBytes(this.count) + restBytes)
    bytes[at] = 0
    at = writeVarint(bytes, at + 1, delta)
    at = writeVarint(bytes, at, this.count)
    bytes.set(source.subarray(rest, rest + restBytes), at)
    this.size = at + restBytes
    this.count += 1
  }

  #writeHeader(view: DataView, attributes: number, size: number): void {
    view.setBigInt64(0, 0n)
    view.setInt32(8, size - LENGTH_FROM)
    view.setInt32(12, -1)
    view.setInt8(16, MAGIC)
    view.setInt16(ATTRIBUTES_AT, attributes)
    view.setInt32(23, this.count - 1)
    view.setBigInt64(27, BigInt(this.#baseTimestamp))
    view.setBigInt64(35, BigInt(this.#maxTimestamp))
    view.setBigInt64(43, -1n)
    view.setInt16(51, -1)
    view.setInt32(53, -1)
    view.setInt32(57, this.count)
  }

  #reserve(bytes: number): void {
    const needed = this.size + bytes
    if (needed <= this.#bytes.length) return
    let capacity = this.#bytes.length
    while (capacity < needed) capacity *= 2
    const grown = new Uint8Array(capacity)
    grown.set(this.#bytes.subarray(0, this.size))
    this.#bytes = grown
    this.#view = new DataView(grown.buffer)
  }
}
