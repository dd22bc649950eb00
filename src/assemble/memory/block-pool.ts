/**
 * Stores bytes that outlive the segment they arrived in (messages waiting for their other half, segments behind a hole,
 * heads cut between segments) in chains of fixed blocks. One pool per assembler bounds all of them together.
 *
 * At the bound `append` returns false and changes nothing; the caller gives up what it was storing and counts it.
 */
import type { Arena } from './arena.ts'

/** Distance of blocks. A block holds less, so that copies by words cannot touch the next one. */
const BLOCK_STRIDE = 2048
export const BLOCK_BYTES = BLOCK_STRIDE - 16
const NONE = -1

/** A sequence of bytes in a pool. Owned by the holder of the object; empty after `free`. */
export class Chain {
  first = NONE
  last = NONE
  /** Bytes in the chain. */
  length = 0
}

export class BlockPool {
  readonly #arena: Arena
  readonly #next: Int32Array
  readonly #blocks: number
  #free = NONE
  #untouched = 0
  #used = 0

  constructor(arena: Arena) {
    this.#arena = arena
    this.#blocks = Math.floor(arena.poolBytes / BLOCK_STRIDE)
    this.#next = new Int32Array(this.#blocks)
  }

  /** Bytes in use, in whole blocks. */
  get usedBytes(): number {
    return this.#used * BLOCK_STRIDE
  }

  /**
   * Adds `length` bytes at `from` to the chain.
   *
   * @returns false when the pool has no room for all of them; the chain is as before
   */
  append(chain: Chain, from: number, length: number): boolean {
    const room = chain.first === NONE ? 0 : BLOCK_BYTES - this.#fill(chain)
    const wanted = Math.ceil((length - room) / BLOCK_BYTES)
    if (wanted > this.#blocks - this.#used) return false
    let left = length
    let source = from
    if (room > 0 && left > 0) {
      const count = Math.min(room, left)
      this.#arena.copy(this.#address(chain.last) + BLOCK_BYTES - room, source, count)
      source += count
      left -= count
    }
    while (left > 0) {
      const block = this.#take(chain)
      const count = Math.min(BLOCK_BYTES, left)
      this.#arena.copy(this.#address(block), source, count)
      source += count
      left -= count
    }
    chain.length += length
    return true
  }

  /**
   * Allocates a block for an empty chain, to be written in place: up to BLOCK_BYTES. `filled` must follow.
   *
   * @returns the block's address; -1 when the pool has no room
   */
  claim(chain: Chain): number {
    return this.#used < this.#blocks ? this.#address(this.#take(chain)) : -1
  }

  /** `length` bytes were written to the block that `claim` returned. */
  filled(chain: Chain, length: number): void {
    chain.length = length
  }

  /** Copies the whole chain to `to`. */
  copyOut(chain: Chain, to: number): void {
    let left = chain.length
    let target = to
    for (let block = chain.first; left > 0; block = this.#next[block]) {
      const count = Math.min(BLOCK_BYTES, left)
      this.#arena.copy(target, this.#address(block), count)
      target += count
      left -= count
    }
  }

  /** Address of the first byte of a chain's block; walk with `nextBlock`. Every block but the last is full. */
  firstBlock(chain: Chain): number {
    return chain.first
  }

  nextBlock(block: number): number {
    return this.#next[block]
  }

  blockAddress(block: number): number {
    return this.#address(block)
  }

  /** Returns the chain's blocks to the pool; the chain is empty afterwards. */
  free(chain: Chain): void {
    if (chain.first === NONE) return
    let blocks = 1
    for (let block = chain.first; block !== chain.last; block = this.#next[block]) blocks++
    this.#next[chain.last] = this.#free
    this.#free = chain.first
    this.#used -= blocks
    chain.first = NONE
    chain.last = NONE
    chain.length = 0
  }

  #take(chain: Chain): number {
    let block = this.#free
    if (block === NONE) block = this.#untouched++
    else this.#free = this.#next[block]
    this.#used++
    if (chain.first === NONE) chain.first = block
    else this.#next[chain.last] = block
    chain.last = block
    this.#next[block] = NONE
    return block
  }

  #address(block: number): number {
    return this.#arena.pool + block * BLOCK_STRIDE
  }

  /** Bytes in the chain's last block. */
  #fill(chain: Chain): number {
    const rest = chain.length % BLOCK_BYTES
    return rest === 0 ? BLOCK_BYTES : rest
  }
}
