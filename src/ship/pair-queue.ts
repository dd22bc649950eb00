/**
 * The buffer between the pair rings and the output: pairs in order of arrival, in blocks of records copied unchanged
 * from the rings. A pair is copied once, on its way in, and read in place.
 *
 * Thread: the shipper's. The queue never refuses a pair: its owner enforces the bounds through `dropOlder` and
 * `dropOver`. Pairs of one ring, and so of one connection, stay in order.
 */
import type { RingConsumer } from '../ring/byte-ring.ts'
import {
  ARRIVAL_AT,
  CONNECTION_AT,
  LENGTH_AT,
  MICROS_AT,
  PAIR_LENGTH_AT,
  PAIR_START_AT,
  SERVER_AT,
} from '../ring/layout.ts'

/** Large enough to copy at memory speed, small enough that an idle agent holds little. */
const BLOCK_BYTES = 256 * 1024
/** A block with less room than this is full. */
const MIN_ROOM = 8 * 1024
/** Empty blocks kept for the next pairs. */
const SPARE_BLOCKS = 4

interface Block {
  bytes: Uint8Array
  words: Int32Array
  doubles: Float64Array
  /** Bytes in use; the next pair is written here. */
  end: number
}

function newBlock(size: number): Block {
  const memory = new ArrayBuffer(size)
  return {
    bytes: new Uint8Array(memory),
    words: new Int32Array(memory),
    doubles: new Float64Array(memory),
    end: 0,
  }
}

export class PairQueue {
  /** Pairs waiting, and their bytes, record headers included. */
  pairs = 0
  byteCount = 0

  /** The oldest pair, valid after `front()` returned true and until `pop`: `bytes[start … start + length)`. */
  bytes: Uint8Array
  start = 0
  length = 0
  /** Its bytes in `byteCount`. */
  recordBytes = 0
  /** uint32 hashes of the connection and of the server's address. */
  connection = 0
  server = 0
  /** Capture time of the request's first byte, microseconds since the Unix epoch. */
  micros = 0

  readonly #blocks: Block[]
  readonly #spare: Block[] = []
  #position = 0

  constructor() {
    const block = newBlock(BLOCK_BYTES)
    this.#blocks = [block]
    this.bytes = block.bytes
  }

  /**
   * Moves the pairs of one ring into the queue, up to about `limit` bytes, and at least one pair when there is one.
   *
   * @param nowMs a monotonic clock, whole milliseconds
   * @returns bytes read from the ring, padding included; 0 when it was empty
   */
  read(ring: RingConsumer, limit: number, nowMs: number): number {
    let total = 0
    while (total < limit) {
      const block = this.#roomyBlock()
      const room = block.bytes.length - block.end
      const count = ring.peek(block.bytes, room, block.end)
      if (count === 0) break
      const consumed = this.#append(block, count, nowMs)
      if (consumed === 0) {
        this.#addBlockFor(block.words[(block.end + LENGTH_AT) >> 2])
        continue
      }
      ring.release(consumed)
      total += consumed
    }
    return total
  }

  /** Points the fields above to the oldest pair. @returns false when there is none */
  front(): boolean {
    if (this.pairs === 0) return false
    const block = this.#blocks[0]
    const { words, doubles } = block
    const at = this.#position
    this.bytes = block.bytes
    this.recordBytes = words[(at + LENGTH_AT) >> 2]
    this.length = words[(at + PAIR_LENGTH_AT) >> 2]
    this.start = at + words[(at + PAIR_START_AT) >> 2]
    this.connection = words[(at + CONNECTION_AT) >> 2] >>> 0
    this.server = words[(at + SERVER_AT) >> 2] >>> 0
    this.micros = doubles[(at + MICROS_AT) >> 3]
    return true
  }

  /** Milliseconds since the oldest pair was read from its ring, on the clock passed to `read`. Exact for 24 days. */
  ageMs(nowMs: number): number {
    return ((nowMs | 0) - this.#blocks[0].words[(this.#position + ARRIVAL_AT) >> 2]) | 0
  }

  /** Removes the oldest pair; the next `read` may overwrite its bytes. */
  pop(): void {
    const block = this.#blocks[0]
    const size = block.words[(this.#position + LENGTH_AT) >> 2]
    this.#position += size
    this.byteCount -= size
    this.pairs -= 1
    if (this.#position >= block.end) this.#nextBlock(block)
  }

  /** Drops pairs older than `maxAgeMs`, oldest first. @returns how many */
  dropOlder(maxAgeMs: number, nowMs: number): number {
    const before = this.pairs
    while (this.pairs > 0 && this.ageMs(nowMs) > maxAgeMs) this.pop()
    return before - this.pairs
  }

  /** Drops the oldest pairs until at most `maxBytes` are held. @returns how many */
  dropOver(maxBytes: number): number {
    const before = this.pairs
    while (this.byteCount > maxBytes && this.pairs > 0) this.pop()
    return before - this.pairs
  }

  /**
   * Appends the complete records among `count` bytes that were copied to the block's end.
   *
   * @returns bytes consumed; 0 when the first record is incomplete
   */
  #append(block: Block, count: number, nowMs: number): number {
    const { words } = block
    const begin = block.end
    const limit = begin + count
    let at = begin
    while (at < limit) {
      const size = words[(at + LENGTH_AT) >> 2]
      // Padding reaches to the wrap, where a peek ends anyway.
      if (size < 0) {
        block.end = at
        return at - begin - size
      }
      if (at + size > limit) break
      words[(at + ARRIVAL_AT) >> 2] = nowMs | 0
      at += size
      this.pairs += 1
      this.byteCount += size
    }
    block.end = at
    return at - begin
  }

  #roomyBlock(): Block {
    const tail = this.#blocks[this.#blocks.length - 1]
    if (tail.bytes.length - tail.end >= MIN_ROOM) return tail
    const block = this.#spare.pop() ?? newBlock(BLOCK_BYTES)
    this.#blocks.push(block)
    return block
  }

  /** Adds a block that holds the next record, for which the tail has no room, or replaces an empty tail by it. */
  #addBlockFor(recordBytes: number): void {
    const last = this.#blocks.length - 1
    // Long pairs get blocks of their own length: two to a block would leave much of it empty.
    const block = newBlock(recordBytes > BLOCK_BYTES / 4 ? recordBytes : BLOCK_BYTES)
    if (this.#blocks[last].end === 0) this.#blocks[last] = block
    else this.#blocks.push(block)
  }

  #nextBlock(done: Block): void {
    this.#position = 0
    done.end = 0
    if (this.#blocks.length === 1) return
    this.#blocks.shift()
    if (done.bytes.length === BLOCK_BYTES && this.#spare.length < SPARE_BLOCKS) this.#spare.push(done)
  }
}
