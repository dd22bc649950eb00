/**
 * Stores bytes that outlive the segment they arrived in (messages that wait for their other half, heads cut between
 * segments) in chains of cells, whose sizes grow with the chain. One pool per assembler bounds all of them together.
 *
 *     Chain ─first─▶ cell of 256 ─link─▶ cell of 2048 ─link─▶ cell of 2048 ◀─last─ Chain
 *                    full                full                 room left
 *
 * At the bound `append` returns false and changes nothing; the caller drops what it was storing and counts it.
 */
import type { Arena } from './arena.ts'
import { type CellPool, CONTENT_AT, LARGEST_CELL_BYTES, NO_CELL } from './cell-pool.ts'

/** The most that one block holds. */
export const BLOCK_BYTES = LARGEST_CELL_BYTES

/** A sequence of bytes in a pool. Owned by the holder of the object; empty after `BlockPool.free`. */
export class Chain {
  first = NO_CELL
  last = NO_CELL
  /** Bytes in the chain, and the room that is left in its last cell. */
  length = 0
  room = 0

  /** The room of its cells, used or not. */
  get heldBytes(): number {
    return this.length + this.room
  }

  /** Empties the chain. Its cells are freed, or have another owner. */
  clear(): void {
    this.first = NO_CELL
    this.last = NO_CELL
    this.length = 0
    this.room = 0
  }
}

export class BlockPool {
  readonly #arena: Arena
  readonly #view: DataView
  readonly #cells: CellPool

  constructor(arena: Arena, cells: CellPool) {
    this.#arena = arena
    this.#view = arena.view
    this.#cells = cells
  }

  /** Bytes in use, in whole pages. */
  get usedBytes(): number {
    return this.#cells.usedBytes
  }

  /**
   * Adds `length` bytes at `from` to the chain.
   *
   * @returns false when the pool has no room for all of them; the chain is as before
   */
  append(chain: Chain, from: number, length: number): boolean {
    const { room } = chain
    if (length <= room) {
      this.#fill(chain, from, length)
      return true
    }
    if (length - room > this.#cells.freePages * BLOCK_BYTES) return this.#appendLast(chain, from, length)
    this.#fill(chain, from, room)
    let source = from + room
    for (let left = length - room; left > 0; ) {
      if (!this.#extend(chain, left)) throw new RangeError('the pool has fewer cells than it counts')
      const count = Math.min(left, chain.room)
      this.#fill(chain, source, count)
      source += count
      left -= count
    }
    return true
  }

  /**
   * Allocates a block for an empty chain, to be written in place. `filled` must follow.
   *
   * @param bytes the most that will be written, at most BLOCK_BYTES
   * @returns the address to write at; -1 when the pool has no room
   */
  claim(chain: Chain, bytes: number): number {
    return this.#extend(chain, bytes) ? chain.first + CONTENT_AT : -1
  }

  /** `length` bytes were written to the block that `claim` returned. */
  filled(chain: Chain, length: number): void {
    chain.length = length
    chain.room -= length
  }

  /** Copies the whole chain to `to`. */
  copyOut(chain: Chain, to: number): void {
    let left = chain.length
    let target = to
    for (let cell = chain.first; left > 0; cell = this.#view.getInt32(cell, true)) {
      const count = cell === chain.last ? left : this.#cells.capacity(cell)
      this.#arena.copy(target, cell + CONTENT_AT, count)
      target += count
      left -= count
    }
  }

  /** Returns the chain's cells to the pool; the chain is empty afterwards. */
  free(chain: Chain): void {
    if (chain.first === NO_CELL) return
    for (let cell = chain.first; cell !== NO_CELL; ) {
      const next = this.#view.getInt32(cell, true)
      this.#cells.free(cell)
      cell = next
    }
    chain.clear()
  }

  /** With no page free a cell of a page with room may still do. */
  #appendLast(chain: Chain, from: number, length: number): boolean {
    const { room } = chain
    const left = length - room
    if (left > BLOCK_BYTES) return false
    const { last } = chain
    if (!this.#extend(chain, left)) return false
    const added = chain.room
    if (room > 0) this.#arena.copy(last + CONTENT_AT + this.#cells.capacity(last) - room, from, room)
    this.#arena.copy(chain.last + CONTENT_AT, from + room, left)
    chain.length += length
    chain.room = added - left
    return true
  }

  /** Copies bytes into the room of the last cell. */
  #fill(chain: Chain, from: number, count: number): void {
    if (count === 0) return
    const { last } = chain
    this.#arena.copy(last + CONTENT_AT + this.#cells.capacity(last) - chain.room, from, count)
    chain.length += count
    chain.room -= count
  }

  /** Adds a cell for `bytes`, or for as many as fit, at least twice as large as the last one: chains stay short. */
  #extend(chain: Chain, bytes: number): boolean {
    const { last } = chain
    const grown = last === NO_CELL ? bytes : Math.max(bytes, 2 * this.#cells.capacity(last))
    const cell = this.#cells.allocate(Math.min(BLOCK_BYTES, grown))
    if (cell === NO_CELL) return false
    this.#view.setInt32(cell, NO_CELL, true)
    if (last === NO_CELL) chain.first = cell
    else this.#view.setInt32(last, cell, true)
    chain.last = cell
    chain.room = this.#cells.capacity(cell)
    return true
  }
}
