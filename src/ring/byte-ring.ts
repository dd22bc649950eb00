/**
 * Single-producer, single-consumer ring of variable-length records over shared memory.
 *
 * Threads: the producer owns TAIL, COMMITTED and CLOSED, the consumer owns HEAD and TAKEN. Either side's view of the other's
 * position may be stale in the safe direction only: the producer may see too little room, the consumer too few bytes,
 * never too many.
 *
 * Either thread may end at any instruction. Once it has ended, another may open the same end: a producer continues after
 * the last committed record, a consumer with the first record that was not taken or released.
 *
 * A full ring is a value, not an error: `tryClaim` returns FULL and the caller decides (live capture sheds, files wait).
 */
import { copyBytes } from './copy-bytes.ts'
import type { Doorbell } from './doorbell.ts'
import {
  align8,
  CLOSED_WORD,
  COMMITTED_WORD,
  HEAD_WORD,
  LENGTH_AT,
  MAX_RECORD_SHARE,
  PADDING_END_WORD,
  PADDING_WORD,
  RING_HEADER_BYTES,
  TAIL_WORD,
  TAKEN_WORD,
} from './layout.ts'

/** What `tryClaim` returns when the record does not fit now. */
export const FULL = -1
/** What `next` returns when there is no record. */
export const EMPTY = -1

/** Publish after at most this many bytes: batching saves a quarter of the cost of small records (measured). */
const PUBLISH_BYTES = 16 * 1024

/**
 * While its consumer keeps up, a ring of live capture uses no more than this, so that room for a burst costs no memory
 * before one.
 */
export const RESTING_RING_BYTES = 4 * 1024 * 1024
/** A ring rewinds to its beginning when no more than this share of its resting part waits to be read. */
const CLOSE_SHARE = 1 / 64

/** @param capacityBytes rounded up to a power of two, at least 4 KiB, at most 1 GiB */
export function allocateRing(capacityBytes: number): SharedArrayBuffer {
  let capacity = 4096
  while (capacity < capacityBytes && capacity < 2 ** 30) capacity *= 2
  return new SharedArrayBuffer(RING_HEADER_BYTES + capacity)
}

/** Bytes of the latest padding, unless the consumer has released it; then its end is behind, or more than a ring ahead. */
function paddingAhead(control: Int32Array, head: number, capacity: number): number {
  const ahead = (control[PADDING_END_WORD] - head) | 0
  return ahead > 0 && ahead <= capacity ? control[PADDING_WORD] : 0
}

/** How full a ring is, for a thread that holds neither of its ends. */
export class RingLevel {
  readonly capacityBytes: number
  readonly #control: Int32Array

  constructor(shared: SharedArrayBuffer) {
    this.#control = new Int32Array(shared, 0, RING_HEADER_BYTES / 4)
    this.capacityBytes = shared.byteLength - RING_HEADER_BYTES
  }

  /** Bytes of the records in the ring, without padding. */
  get usedBytes(): number {
    const head = Atomics.load(this.#control, HEAD_WORD)
    const tail = Atomics.load(this.#control, TAIL_WORD)
    return ((tail - head) | 0) - paddingAhead(this.#control, head, this.capacityBytes)
  }
}

/** The producer's end. claim → fill → commit; `flush` at the end of a batch makes all of it visible. */
export class RingProducer {
  /** Views of the data area, through which claimed records are filled. All three share one memory. */
  readonly bytes: Uint8Array
  readonly words: Int32Array
  readonly doubles: Float64Array
  /** Largest record that this ring accepts, in bytes. */
  readonly maxRecord: number
  readonly #control: Int32Array
  readonly #capacity: number
  readonly #consumer: Doorbell
  #tail: number
  #published: number
  #head: number
  #claimed = 0
  readonly #restingBytes: number
  /** Whether memory beyond #restingBytes has been written since `unused` was called. */
  #isSpread = false

  /**
   * @param restingBytes while the consumer keeps up, only about as much of the ring's beginning is used, so that the memory of a
   *   large ring becomes resident only once it is needed
   */
  constructor(shared: SharedArrayBuffer, consumer: Doorbell, restingBytes = Number.POSITIVE_INFINITY) {
    this.#control = new Int32Array(shared, 0, RING_HEADER_BYTES / 4)
    this.#capacity = shared.byteLength - RING_HEADER_BYTES
    this.bytes = new Uint8Array(shared, RING_HEADER_BYTES)
    this.words = new Int32Array(shared, RING_HEADER_BYTES)
    this.doubles = new Float64Array(shared, RING_HEADER_BYTES)
    this.maxRecord = this.#capacity * MAX_RECORD_SHARE
    this.#consumer = consumer
    this.#restingBytes = restingBytes
    this.#tail = Atomics.load(this.#control, COMMITTED_WORD)
    this.#published = Atomics.load(this.#control, TAIL_WORD)
    this.#head = Atomics.load(this.#control, HEAD_WORD)
    // Padding before a claim that an earlier producer did not commit.
    if (((this.#control[PADDING_END_WORD] - this.#tail) | 0) > 0) this.#control[PADDING_WORD] = 0
  }

  /**
   * Reserves a record; nothing is visible to the consumer before `commit`.
   *
   * @param length bytes wanted, header included
   * @returns the record's offset in `bytes`, a multiple of 8; FULL when there is no room now
   * @throws RangeError for a record over `maxRecord`, for which there is never room; callers check that first
   */
  tryClaim(length: number): number {
    const size = align8(length)
    if (size > this.maxRecord) throw new RangeError(`a record of ${length} bytes never fits this ring`)
    const offset = this.#tail & (this.#capacity - 1)
    const toWrap = this.#capacity - offset
    const wraps = size > toWrap || (offset >= this.#restingBytes && this.#mayRewind(toWrap + size))
    const needed = wraps ? toWrap + size : size
    if (needed > this.#free()) {
      this.#head = Atomics.load(this.#control, HEAD_WORD)
      if (needed > this.#free()) return FULL
    }
    this.#claimed = size
    if (!wraps) return offset
    this.words[(offset + LENGTH_AT) >> 2] = -toWrap
    this.#tail = (this.#tail + toWrap) | 0
    this.#control[PADDING_WORD] = toWrap
    this.#control[PADDING_END_WORD] = this.#tail
    return 0
  }

  /** Whether the consumer is so close behind that the rest of the ring is not needed. */
  #mayRewind(needed: number): boolean {
    const waiting = (this.#tail - this.#head) | 0
    const rewinds = waiting <= this.#restingBytes * CLOSE_SHARE && needed <= this.#free()
    this.#isSpread ||= !rewinds
    return rewinds
  }

  /**
   * Completes the claimed record; the consumer sees it at the next publication.
   *
   * @param counts a counter block in which the record is counted at `index`; null: none
   */
  commit(counts: Float64Array | null = null, index = 0): void {
    const offset = this.#tail & (this.#capacity - 1)
    this.words[(offset + LENGTH_AT) >> 2] = this.#claimed
    this.commitRecords(counts, index)
  }

  /** As `commit`, for a claim that was filled with whole records which have their lengths. */
  commitRecords(counts: Float64Array | null = null, index = 0): void {
    this.#tail = (this.#tail + this.#claimed) | 0
    // Only the next producer reads it, after this thread has ended: a plain store suffices.
    this.#control[COMMITTED_WORD] = this.#tail
    // No call between the two: a thread cannot end there, so each record in the ring is counted, and no other.
    if (counts !== null) counts[index] += 1
    if (((this.#tail - this.#published) | 0) >= PUBLISH_BYTES) this.flush()
  }

  /** Publishes everything committed and wakes the consumer if it sleeps. */
  flush(): void {
    if (this.publish()) this.#consumer.ring()
  }

  /** Publishes everything committed; a sleeping consumer sees it once something else wakes it. @returns whether there was anything */
  publish(): boolean {
    if (this.#tail === this.#published) return false
    this.#published = this.#tail
    Atomics.store(this.#control, TAIL_WORD, this.#tail)
    return true
  }

  /** Publishes, then marks the ring's end: nothing follows. */
  close(): void {
    this.flush()
    Atomics.store(this.#control, CLOSED_WORD, 1)
    this.#consumer.ring()
  }

  /** Bytes of records in the ring, published or not; may be too high, never too low. */
  get used(): number {
    this.#head = Atomics.load(this.#control, HEAD_WORD)
    return ((this.#tail - this.#head) | 0) - paddingAhead(this.#control, this.#head, this.#capacity)
  }

  /** Bytes that can be claimed, unless they are divided by the wrap: what is not used, less padding. */
  get free(): number {
    this.#head = Atomics.load(this.#control, HEAD_WORD)
    return this.#free()
  }

  /**
   * The memory beyond the resting part, if it was written since the last call and holds nothing now: its contents may be
   * discarded. null: there is none.
   */
  unused(): Uint8Array | null {
    const offset = this.#tail & (this.#capacity - 1)
    const rests = offset <= this.#restingBytes && this.#capacity - this.free <= offset
    if (!this.#isSpread || !rests) return null
    this.#isSpread = false
    return this.bytes.subarray(this.#restingBytes)
  }

  get capacity(): number {
    return this.#capacity
  }

  #free(): number {
    return this.#capacity - ((this.#tail - this.#head) | 0)
  }
}

/**
 * The consumer's end. It reads records in either of two ways: it copies a block of whole records, and possibly one cut record,
 * into private memory, works there (parsing in shared memory is 1.3 to 1.6 times slower, measured) and releases what it has
 * copied; or it takes record after record, reads each where it is, and releases them together.
 */
export class RingConsumer {
  /** Views of the data area, in which `next` finds records. All three share one memory. */
  readonly bytes: Uint8Array
  readonly words: Int32Array
  readonly doubles: Float64Array
  readonly #control: Int32Array
  readonly #capacity: number
  readonly #producer: Doorbell | null
  /** Where reading continues; the producer knows only what was released. */
  #head: number
  /** How far `next` may read: a published end, or #head, to look for one. */
  #seenTail: number

  /** @param producer doorbell to ring when room appears; null when the producer never waits */
  constructor(shared: SharedArrayBuffer, producer: Doorbell | null) {
    this.#control = new Int32Array(shared, 0, RING_HEADER_BYTES / 4)
    this.#capacity = shared.byteLength - RING_HEADER_BYTES
    this.bytes = new Uint8Array(shared, RING_HEADER_BYTES)
    this.words = new Int32Array(shared, RING_HEADER_BYTES)
    this.doubles = new Float64Array(shared, RING_HEADER_BYTES)
    this.#producer = producer
    this.#head = this.#control[TAKEN_WORD]
    this.#seenTail = this.#head
  }

  /**
   * Copies the oldest bytes to `block[at…]`, at most `limit` and never across the wrap. `at` is a multiple of 8.
   *
   * @returns bytes copied, 0 when the ring is empty. They begin with a record; the last one may be cut.
   */
  peek(block: Uint8Array, limit: number, at = 0): number {
    const available = this.used
    if (available === 0) return 0
    const offset = this.#head & (this.#capacity - 1)
    const count = Math.min(available, this.#capacity - offset, limit)
    copyBytes(this.bytes, offset, offset + count, block, at)
    return count
  }

  /** Returns `count` bytes, records and padding alike, to the producer, as `releaseTaken` does. */
  release(count: number): void {
    this.#head = (this.#head + count) | 0
    this.#seenTail = this.#head
    Atomics.store(this.#control, HEAD_WORD, this.#head)
    this.#control[TAKEN_WORD] = this.#head
    if (this.#producer !== null && this.used <= this.#capacity >> 1) this.#producer.ring()
  }

  /** Finds the oldest record. @returns its offset in `bytes`, valid until it is released; EMPTY when there is none */
  next(): number {
    for (;;) {
      if (this.#head === this.#seenTail) {
        this.#seenTail = Atomics.load(this.#control, TAIL_WORD)
        if (this.#head === this.#seenTail) return EMPTY
      }
      const offset = this.#head & (this.#capacity - 1)
      const size = this.words[(offset + LENGTH_AT) >> 2]
      if (size >= 0) return offset
      this.#head = (this.#head - size) | 0
    }
  }

  /**
   * Takes the record that `next` has found: a thread that ends afterwards leaves it neither here nor to the next consumer.
   *
   * @param counts a counter block in which the record is counted at `index`
   */
  take(counts: Float64Array, index: number): void {
    const offset = this.#head & (this.#capacity - 1)
    this.#head = (this.#head + this.words[(offset + LENGTH_AT) >> 2]) | 0
    // No call between the two: a thread cannot end there, so each record is counted once.
    this.#control[TAKEN_WORD] = this.#head
    counts[index] += 1
  }

  /**
   * Returns all records that were taken to the producer. One that waits for room is woken once half the ring is free: woken at
   * every block, it would fill just that block and wait again, and a wake-up costs more than the block (measured). The rest of
   * the ring will be released too, so a waiting producer is always woken in the end.
   */
  releaseTaken(): void {
    if (Atomics.load(this.#control, HEAD_WORD) !== this.#head) this.release(0)
  }

  get empty(): boolean {
    return Atomics.load(this.#control, TAIL_WORD) === this.#head
  }

  /** True once the producer has closed the ring and everything in it has been released. */
  get finished(): boolean {
    return Atomics.load(this.#control, CLOSED_WORD) === 1 && this.empty
  }

  /** Bytes in the ring now. */
  get used(): number {
    return (Atomics.load(this.#control, TAIL_WORD) - this.#head) | 0
  }
}
