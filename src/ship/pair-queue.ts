/**
 * The buffer between the pair rings and the output: pairs in order of arrival, in blocks of records copied unchanged
 * from the rings. A pair is copied once, on its way in, and read in place. While none waits, a sink may take pairs from the
 * rings instead (ring-pairs.ts).
 *
 * The blocks outlive the shipper (held-memory.ts). A queue that is made from the blocks of an earlier one continues with
 * the first pair that was not settled.
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
import { type HeldBlock, type HeldMemory, PAIRS } from './held-memory.ts'
import type { PairSource } from './pair-source.ts'

/** Large enough to copy at memory speed, small enough that an idle agent holds little. */
const BLOCK_BYTES = 256 * 1024
/** A block with less room than this is full. */
const MIN_ROOM = 8 * 1024
/**
 * Empty blocks kept for the next pairs: as many as one iteration of the shipper may empty, so that a backlog allocates
 * none.
 */
const SPARE_BLOCKS = 16
/** Empty blocks kept while no pair waits. */
const IDLE_SPARE_BLOCKS = 4

/** Marks a pair (`mark`): stands in place of its offset in the record, which is never 0. */
const SUSPECT = 0

/** Fields of a block's state: its place among the blocks; begin and end of its pairs that are not settled. */
const ORDER = 0
const START = 1
const END = 2

/** Sees pairs as they are read from their rings. */
export interface PairViewer {
  /** @param bytes the pair is `bytes[start … start + length)`, valid during the call */
  add(bytes: Uint8Array, start: number, length: number): void
}

/** Pairs in a block that are not settled. Called by another thread once the queue's has ended. */
export function countPairs({ state, words }: HeldBlock): number {
  let pairs = 0
  for (let at = state[START]; at < state[END]; at += words[(at + LENGTH_AT) >> 2]) pairs += 1
  return pairs
}

export class PairQueue implements PairSource {
  /** Pairs and bytes waiting (bytes with their record headers). */
  pairs = 0
  byteCount = 0
  /** Pairs popped since the last `settle`. */
  unsettled = 0

  /** The oldest pair, as PairSource describes it; valid until the next `read`. */
  bytes: Uint8Array
  start = 0
  length = 0
  recordBytes = 0
  connection = 0
  server = 0
  micros = 0
  arrivedMs = 0
  /** An earlier thread ended between `mark` and `unmark` of this pair: its bytes must not be read. */
  isSuspect = false

  readonly #memory: HeldMemory
  /** Oldest first; never empty. The last one is being filled, those before the one that is read are settled or popped. */
  readonly #blocks: HeldBlock[]
  readonly #spare: HeldBlock[] = []
  /** Index of the block that is read, and the next pair's offset in it. */
  #reading = 0
  #position = 0
  /** End of the records that `#append` has prepared. */
  #preparedEnd = 0
  #order = 0

  /** @param left blocks of a queue whose thread has ended */
  constructor(memory: HeldMemory, left: readonly HeldBlock[] = []) {
    this.#memory = memory
    this.#blocks = left.filter((block) => !isSettled(block))
    this.#blocks.sort((a, b) => a.state[ORDER] - b.state[ORDER])
    for (const block of left) if (isSettled(block)) memory.release(block)
    for (const block of this.#blocks) {
      this.pairs += countPairs(block)
      this.byteCount += block.state[END] - block.state[START]
      this.#order = block.state[ORDER] + 1
    }
    if (this.#blocks.length === 0) this.#push(this.#newBlock(BLOCK_BYTES))
    this.#position = this.#blocks[0].state[START]
    this.bytes = this.#blocks[0].bytes
  }

  /**
   * Moves the pairs of one ring into the queue, up to about `limit` bytes, and at least one pair when there is one.
   *
   * @param nowMs a monotonic clock, whole milliseconds
   * @param viewer sees each of them; null: there is none
   * @returns bytes read from the ring, padding included; 0 when it was empty
   */
  read(ring: RingConsumer, limit: number, nowMs: number, viewer: PairViewer | null = null): number {
    this.#reclaim()
    let total = 0
    while (total < limit) {
      const block = this.#roomyBlock()
      const end = block.state[END]
      const count = ring.peek(block.bytes, block.bytes.length - end, end)
      if (count === 0) break
      const consumed = this.#append(block, count, nowMs)
      if (consumed === 0) {
        this.#addBlockFor(block.words[(end + LENGTH_AT) >> 2])
        continue
      }
      ring.release(consumed)
      // No call between the two: a thread cannot end there, so the pairs are either in the ring or here.
      block.state[END] = this.#preparedEnd
      if (viewer !== null) show(block, end, viewer)
      total += consumed
    }
    return total
  }

  front(): boolean {
    if (this.pairs === 0) return false
    const { bytes, words, doubles } = this.#blocks[this.#reading]
    const at = this.#position
    this.bytes = bytes
    this.recordBytes = words[(at + LENGTH_AT) >> 2]
    this.length = words[(at + PAIR_LENGTH_AT) >> 2]
    const offset = words[(at + PAIR_START_AT) >> 2]
    this.start = at + offset
    this.isSuspect = offset === SUSPECT
    this.connection = words[(at + CONNECTION_AT) >> 2] >>> 0
    this.server = words[(at + SERVER_AT) >> 2] >>> 0
    this.micros = doubles[(at + MICROS_AT) >> 3]
    this.arrivedMs = words[(at + ARRIVAL_AT) >> 2]
    return true
  }

  /** Milliseconds since the oldest pair was read from its ring, on the clock passed to `read`. Exact for 24 days. */
  ageMs(nowMs: number): number {
    return ((nowMs | 0) - this.#blocks[this.#reading].words[(this.#position + ARRIVAL_AT) >> 2]) | 0
  }

  /** Marks the oldest pair for as long as it is processed: if that ends the thread, the next one skips the pair. */
  mark(): void {
    this.#blocks[this.#reading].words[(this.#position + PAIR_START_AT) >> 2] = SUSPECT
  }

  unmark(): void {
    this.#blocks[this.#reading].words[(this.#position + PAIR_START_AT) >> 2] = this.start - this.#position
  }

  /** Removes the oldest pair. Its bytes remain until it is settled and `read` is called again. */
  pop(): void {
    const { words, state } = this.#blocks[this.#reading]
    const size = words[(this.#position + LENGTH_AT) >> 2]
    this.#position += size
    this.byteCount -= size
    this.pairs -= 1
    this.unsettled += 1
    if (this.#position >= state[END]) this.#skipFinished()
  }

  /** Releases every popped pair: it was shipped or dropped, or the sink holds a copy. */
  settle(): void {
    for (let index = 0; index < this.#reading; index += 1) this.#blocks[index].state[START] = Infinity
    this.#blocks[this.#reading].state[START] = this.#position
    this.unsettled = 0
  }

  take(): void {
    this.pop()
    this.settle()
  }

  /** Drops pairs older than `maxAgeMs`, oldest first. @returns how many */
  dropOlder(maxAgeMs: number, nowMs: number): number {
    const before = this.pairs
    while (this.pairs > 0 && this.ageMs(nowMs) > maxAgeMs) this.pop()
    if (this.pairs < before) this.settle()
    return before - this.pairs
  }

  /** Drops the oldest pairs until at most `maxBytes` are held. @returns how many */
  dropOver(maxBytes: number): number {
    const before = this.pairs
    while (this.byteCount > maxBytes && this.pairs > 0) this.pop()
    if (this.pairs < before) this.settle()
    return before - this.pairs
  }

  /**
   * Prepares the complete records among `count` bytes that were copied to the block's end.
   *
   * @returns bytes consumed; 0 when the first record is incomplete
   */
  #append({ state, words }: HeldBlock, count: number, nowMs: number): number {
    const begin = state[END]
    const limit = begin + count
    let at = begin
    while (at < limit) {
      const size = words[(at + LENGTH_AT) >> 2]
      // Padding reaches to the wrap, where a peek ends as well.
      if (size < 0) {
        this.#preparedEnd = at
        return at - begin - size
      }
      if (at + size > limit) break
      words[(at + ARRIVAL_AT) >> 2] = nowMs | 0
      at += size
      this.pairs += 1
      this.byteCount += size
    }
    this.#preparedEnd = at
    return at - begin
  }

  #roomyBlock(): HeldBlock {
    const tail = this.#blocks[this.#blocks.length - 1]
    if (tail.bytes.length - tail.state[END] >= MIN_ROOM) return tail
    return this.#push(this.#spare.pop() ?? this.#newBlock(BLOCK_BYTES))
  }

  /** Moves on to the next block that has a pair. One may have none: the pair that it was added for was too long for it. */
  #skipFinished(): void {
    while (this.#reading < this.#blocks.length - 1 && this.#position >= this.#blocks[this.#reading].state[END]) {
      this.#reading += 1
      this.#position = 0
    }
  }

  /** Adds a block that holds the next record, for which the tail has no room. */
  #addBlockFor(recordBytes: number): void {
    // Long pairs get blocks of their own length: two to a block would leave much of it empty.
    this.#push(this.#newBlock(recordBytes > BLOCK_BYTES / 4 ? recordBytes : BLOCK_BYTES))
  }

  #push(block: HeldBlock): HeldBlock {
    block.state[ORDER] = this.#order
    this.#order += 1
    this.#blocks.push(block)
    this.#skipFinished()
    return block
  }

  /** Recycles the blocks whose pairs are all settled. */
  #reclaim(): void {
    while (this.#reading > 0 && isSettled(this.#blocks[0])) {
      this.#reading -= 1
      this.#recycle(this.#blocks.shift())
    }
    if (this.pairs > 0 || this.unsettled > 0) return
    clear(this.#blocks[0])
    this.#position = 0
    if (this.#spare.length <= IDLE_SPARE_BLOCKS) return
    for (const block of this.#spare.splice(IDLE_SPARE_BLOCKS)) this.#memory.release(block)
  }

  #recycle(block: HeldBlock | undefined): void {
    if (block === undefined) return
    clear(block)
    if (block.bytes.length === BLOCK_BYTES && this.#spare.length < SPARE_BLOCKS) this.#spare.push(block)
    else this.#memory.release(block)
  }

  #newBlock(size: number): HeldBlock {
    return this.#memory.allocate(PAIRS, size)
  }
}

/** Passes the pairs of a block from an offset on to the viewer. */
function show({ bytes, words, state }: HeldBlock, from: number, viewer: PairViewer): void {
  for (let at = from; at < state[END]; at += words[(at + LENGTH_AT) >> 2]) {
    viewer.add(bytes, at + words[(at + PAIR_START_AT) >> 2], words[(at + PAIR_LENGTH_AT) >> 2])
  }
}

const isSettled = ({ state }: HeldBlock): boolean => state[START] >= state[END]

function clear({ state }: HeldBlock): void {
  state[END] = 0
  state[START] = 0
}
