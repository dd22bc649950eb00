/**
 * Kafka record batches, format v2 (magic 2; KIP-98, KIP-82; kafka.apache.org/documentation/#recordbatch), encoded from
 * a pair's bytes into reused memory. Pure: no network, no clock.
 *
 *      0 baseOffset i64 = 0          21 attributes i16 (bits 0–2: compression)     43 producerId i64 = −1
 *      8 batchLength i32 (from 12)   23 lastOffsetDelta i32                        51 producerEpoch i16 = −1
 *     12 partitionLeaderEpoch i32    27 baseTimestamp i64, ms                      53 baseSequence i32 = −1
 *     16 magic i8 = 2                35 maxTimestamp i64, ms                       57 recordCount i32
 *     17 crc u32: CRC-32C from 21                                                  61 records, compressed as one
 *
 *     record: length varint · attributes i8 · timestampDelta varlong = 0 · offsetDelta varint
 *             · key length varint (−1: none) · key · value length varint · value · header count varint · headers
 *
 * Varints are zigzag and little-endian base 128 (Protocol Buffers' sint32); everything else is big-endian.
 */
import { copyBytes } from '../ring/copy-bytes.ts'
import { crc32c } from './crc32c.ts'

export const BATCH_HEADER_BYTES = 61
const LENGTH_FROM = 12
const CRC_AT = 17
const ATTRIBUTES_AT = 21
const MAGIC = 2
/** Bound of a record's bytes beside key, value and headers: five varints of at most 5 bytes, one byte of attributes. */
const RECORD_FRAMING_BYTES = 32
/** A record's attributes and timestamp delta, both 0. */
const RECORD_START_BYTES = 2
/** Grows in two steps to 528 KiB, which holds a batch of the default `ship.batchBytes`. */
const INITIAL_BYTES = 33 * 1024
/** Factor of growth. Large, because each step copies the records and causes garbage, while untouched pages cost nothing. */
const GROWTH = 4

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

/** Memory of a batch: its bytes, and `BATCH_FIELDS` numbers that describe them. Both may outlive the batch. */
export interface BatchMemory {
  readonly id: number
  readonly state: Float64Array
  readonly bytes: Uint8Array
}

export interface BatchMemorySource {
  allocate(bytes: number): BatchMemory
  /** @param inUse a socket may still read it */
  release(memory: BatchMemory, inUse: boolean): void
}

/** Memory on the heap, which garbage collection frees. */
const OWN_MEMORY: BatchMemorySource = {
  allocate: (bytes) => ({ id: 0, state: new Float64Array(BATCH_FIELDS), bytes: new Uint8Array(bytes) }),
  release: () => {},
}

const COUNT = 0
const SIZE = 1
const HELD_BYTES = 2
const OLDEST_MS = 3
const NEWEST_MS = 4
const TIMESTAMP = 5
const PARTITION = 6
const ORDER = 7
const SPAN = 8
export const BATCH_FIELDS = 9
/** A record without a time. */
const NO_TIMESTAMP = -1

/** Records of the batch in this memory. */
export const countRecords = ({ state }: BatchMemory): number => state[COUNT]

/** The records of one batch. Its whole state is in its memory, so that another thread can continue with it. */
export class RecordBatch {
  /** Whether it was ever passed to a connection: a socket may still read it, and a broker may have stored it. */
  wasSent = false
  readonly #source: BatchMemorySource
  #memory: BatchMemory
  #view: DataView

  /** @param left the memory of a batch whose thread has ended; null: an empty batch */
  constructor(source = OWN_MEMORY, left: BatchMemory | null = null) {
    this.#source = source
    this.#memory = left ?? source.allocate(INITIAL_BYTES)
    this.#view = viewOf(this.#memory.bytes)
    if (left === null) this.clear()
  }

  get count(): number {
    return this.#memory.state[COUNT]
  }

  /** Bytes used, batch header included. */
  get size(): number {
    return this.#memory.state[SIZE]
  }

  /** Bytes that its pairs count for in the shipper's buffer: set by the caller, divided when the batch is split. */
  get heldBytes(): number {
    return this.#memory.state[HELD_BYTES]
  }

  set heldBytes(bytes: number) {
    this.#memory.state[HELD_BYTES] = bytes
  }

  /** Arrival times of the oldest and the newest pair, on the shipper's clock. */
  get oldestMs(): number {
    return this.#memory.state[OLDEST_MS]
  }

  get newestMs(): number {
    return this.#memory.state[NEWEST_MS]
  }

  /** The partition it was begun for, and its place among that partition's batches: lower ones were begun earlier. */
  get partition(): number {
    return this.#memory.state[PARTITION]
  }

  get order(): number {
    return this.#memory.state[ORDER]
  }

  get capacity(): number {
    return this.#memory.bytes.length
  }

  get hasTimestamp(): boolean {
    return this.#memory.state[TIMESTAMP] !== NO_TIMESTAMP
  }

  /** Brokers store records without a time, whatever times the topic permits. */
  clearTimestamp(): void {
    this.#memory.state[TIMESTAMP] = NO_TIMESTAMP
  }

  /** Begins a batch. @param order a whole number that grows with every batch */
  place(partition: number, order: number): void {
    const { state } = this.#memory
    state[PARTITION] = partition
    state[ORDER] = order
    state[SPAN] = 1
  }

  /** Removes all records and keeps the memory. */
  clear(): void {
    const { state } = this.#memory
    state[COUNT] = 0
    state[SIZE] = BATCH_HEADER_BYTES
    state[HELD_BYTES] = 0
    this.wasSent = false
  }

  /** Removes all records and adds their number to a counter. */
  countInto({ counts, index }: { readonly counts: Float64Array; readonly index: number }): void {
    const { state } = this.#memory
    const count = state[COUNT]
    // Directly after each other: a thread that ends has done both or neither.
    state[COUNT] = 0
    counts[index] += count
  }

  /** Removes all records and releases the memory. @param inUse as of BatchMemorySource */
  release(inUse: boolean): void {
    this.#memory.state[COUNT] = 0
    this.#source.release(this.#memory, inUse)
  }

  /**
   * Adds one record.
   *
   * @param value,start,length the value's bytes, copied
   * @param key null: a record without key
   * @param headers the encoded headers with their count in front, copied
   * @param timestampMs wall clock; the batch's first is the CreateTime of all its records
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
    const { state, bytes } = this.#memory
    const count = state[COUNT]
    if (count === 0) this.#begin(timestampMs, arrivedMs)
    state[NEWEST_MS] = arrivedMs
    const keyLength = key === null ? -1 : keyBytes
    const body =
      RECORD_START_BYTES + varintBytes(count) + varintBytes(keyLength) + keyBytes + varintBytes(length) + length
    let at = writeVarint(bytes, state[SIZE], body + headers.length)
    bytes.fill(0, at, at + RECORD_START_BYTES)
    at = writeVarint(bytes, at + RECORD_START_BYTES, count)
    at = writeVarint(bytes, at, keyLength)
    for (let index = 0; index < keyBytes; index += 1) bytes[at + index] = key![index]
    at = writeVarint(bytes, at + keyBytes, length)
    copyBytes(value, start, start + length, bytes, at)
    copyBytes(headers, 0, headers.length, bytes, at + length)
    // Directly after each other: a thread that ends has added the record or not.
    state[SIZE] = at + length + headers.length
    state[COUNT] = count + 1
  }

  /** The records alone, to be compressed. Valid until the batch changes. */
  get records(): Uint8Array {
    return this.#memory.bytes.subarray(BATCH_HEADER_BYTES, this.size)
  }

  /** Writes the batch header. @returns the whole batch, uncompressed; valid until the batch changes */
  seal(): Uint8Array {
    const whole = this.#memory.bytes.subarray(0, this.size)
    this.#writeHeader(this.#view, 0, this.size)
    this.#view.setUint32(CRC_AT, crc32c(whole.subarray(ATTRIBUTES_AT, BATCH_HEADER_BYTES), this.records))
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
    view.setUint32(CRC_AT, crc32c(header.subarray(ATTRIBUTES_AT), compressed))
    return header
  }

  /** Moves the newer half of its records, at least two, to a new batch. @returns the new batch */
  split(): RecordBatch {
    const { state, bytes } = this.#memory
    const { count, size, heldBytes } = this
    const keep = count >> 1
    let at = BATCH_HEADER_BYTES
    for (let index = 0; index < keep; index += 1) at = this.#recordEnd(at)
    state[SPAN] /= 2
    state[HELD_BYTES] = Math.round((heldBytes * keep) / count)
    state[SIZE] = at
    state[COUNT] = keep
    const newer = new RecordBatch(this.#source)
    newer.#placeAfter(this)
    for (let from = at; from < size; from = this.#recordEnd(from)) newer.#appendFrom(bytes, from)
    newer.heldBytes = heldBytes - state[HELD_BYTES]
    return newer
  }

  /** Takes the place directly after another batch of its partition, and that batch's times. */
  #placeAfter(older: RecordBatch): void {
    const { state } = older.#memory
    const own = this.#memory.state
    for (let field = OLDEST_MS; field < BATCH_FIELDS; field += 1) own[field] = state[field]
    own[ORDER] += own[SPAN]
  }

  #begin(timestampMs: number, arrivedMs: number): void {
    const { state } = this.#memory
    state[TIMESTAMP] = timestampMs
    state[OLDEST_MS] = arrivedMs
  }

  #recordEnd(at: number): number {
    const length = readVarint(this.#memory.bytes, at)
    return at + varintBytes(length) + length
  }

  /**
   * Copies a record of another batch with the same timestamp. Its offset delta changes, which may change its length.
   */
  #appendFrom(source: Uint8Array, from: number): void {
    const length = readVarint(source, from)
    const body = from + varintBytes(length)
    const offsetAt = body + RECORD_START_BYTES
    const rest = offsetAt + varintBytes(readVarint(source, offsetAt))
    const restBytes = body + length - rest
    this.#reserve(length + RECORD_FRAMING_BYTES)
    const { state, bytes } = this.#memory
    let at = writeVarint(bytes, this.size, RECORD_START_BYTES + varintBytes(this.count) + restBytes)
    bytes.fill(0, at, at + RECORD_START_BYTES)
    at = writeVarint(bytes, at + RECORD_START_BYTES, this.count)
    bytes.set(source.subarray(rest, rest + restBytes), at)
    state[SIZE] = at + restBytes
    state[COUNT] += 1
  }

  #writeHeader(view: DataView, attributes: number, size: number): void {
    view.setBigInt64(0, 0n)
    view.setInt32(8, size - LENGTH_FROM)
    view.setInt32(12, -1)
    view.setInt8(16, MAGIC)
    view.setInt16(ATTRIBUTES_AT, attributes)
    view.setInt32(23, this.count - 1)
    const timestamp = BigInt(this.#memory.state[TIMESTAMP])
    view.setBigInt64(27, timestamp)
    view.setBigInt64(35, timestamp)
    view.setBigInt64(43, -1n)
    view.setInt16(51, -1)
    view.setInt32(53, -1)
    view.setInt32(57, this.count)
  }

  #reserve(bytes: number): void {
    const needed = this.size + bytes
    const old = this.#memory
    let capacity = old.bytes.length
    if (needed <= capacity) return
    while (capacity < needed) capacity *= GROWTH
    const grown = this.#source.allocate(capacity)
    grown.bytes.set(old.bytes.subarray(0, this.size))
    this.#move(old.state, grown)
    this.#source.release(old, false)
  }

  /** One assignment after the other, without a call: a thread that ends leaves the records in one place. */
  #move(old: Float64Array, to: BatchMemory): void {
    const { state } = to
    for (let field = SIZE; field < BATCH_FIELDS; field += 1) state[field] = old[field]
    const count = old[COUNT]
    old[COUNT] = 0
    state[COUNT] = count
    this.#memory = to
    this.#view = viewOf(to.bytes)
  }
}

const viewOf = ({ buffer, byteOffset, byteLength }: Uint8Array): DataView =>
  new DataView(buffer, byteOffset, byteLength)
