/**
 * Stores bytes that outlive the segment they arrived in (messages that wait for their other half, heads cut between
 * segments) in chains of cells, whose sizes grow with the chain. One pool per assembler bounds all of them together.
 *
 *     Chain ─first─▶ cell of 256 ─link─▶ cell of 2048 ─link─▶ cell of 2048 ◀─last─ Chain
 *                    full                full                 room left
 *
 * At the bound `append` returns false and changes nothing; the caller drops what it was storing and counts it.
 */

import { copy } from '../../../wasm/copy'
import { allocate, CONTENT_AT, capacity, freePages, LARGEST_CELL_BYTES, NO_CELL, release } from './cells'

/** A sequence of bytes in the pool. Part of its owner's record; empty where all of it is 0. */
@unmanaged
export class Chain {
  first: usize
  last: usize
  /** Bytes in the chain, and the room that is left in its last cell. */
  length: usize
  roomLeft: u16
  get room(): usize {
    return this.roomLeft
  }
  set room(bytes: usize) {
    this.roomLeft = <u16>bytes
  }
}

/** The room of its cells, used or not. */
export function heldBytes(chain: Chain): usize {
  return chain.length + chain.room
}

/**
 * Adds `length` bytes at `from` to the chain.
 *
 * @returns false when the pool has no room for all of them; the chain is as before
 */
export function append(chain: Chain, from: usize, length: usize): bool {
  const room = chain.room
  if (length <= room) {
    fill(chain, from, length)
    return true
  }
  if (length - room > <usize>freePages() * LARGEST_CELL_BYTES) return appendLast(chain, from, length)
  fill(chain, from, room)
  let source = from + room
  for (let left = length - room; left > 0; ) {
    extend(chain, left)
    const count = min(left, chain.room)
    fill(chain, source, count)
    source += count
    left -= count
  }
  return true
}

/**
 * Allocates a cell for an empty chain, to be written in place. `filled` must follow.
 *
 * @param bytes the most that will be written, at most LARGEST_CELL_BYTES
 * @returns the address to write at; 0 when the pool has no room
 */
export function claim(chain: Chain, bytes: usize): usize {
  return extend(chain, bytes) ? chain.first + CONTENT_AT : 0
}

/** `length` bytes were written to the cell that `claim` returned. */
export function filled(chain: Chain, length: usize): void {
  chain.length = length
  chain.room -= length
}

/** Copies the whole chain to `to`. */
export function copyOut(chain: Chain, to: usize): void {
  let left = chain.length
  for (let cell = chain.first; left > 0; cell = load<usize>(cell)) {
    const count = cell === chain.last ? left : capacity(cell)
    copy(to, cell + CONTENT_AT, count)
    to += count
    left -= count
  }
}

/** Returns the chain's cells to the pool; the chain is empty afterwards. */
export function free(chain: Chain): void {
  for (let cell = chain.first; cell !== NO_CELL; ) {
    const next = load<usize>(cell)
    release(cell)
    cell = next
  }
  chain.first = NO_CELL
  chain.last = NO_CELL
  chain.length = 0
  chain.room = 0
}

/** Appends bytes when no page is free: a page in use may still have room for one cell. */
function appendLast(chain: Chain, from: usize, length: usize): bool {
  const room = chain.room
  const left = length - room
  if (left > LARGEST_CELL_BYTES) return false
  const last = chain.last
  if (!extend(chain, left)) return false
  const added = chain.room
  if (room > 0) copy(last + CONTENT_AT + capacity(last) - room, from, room)
  copy(chain.last + CONTENT_AT, from + room, left)
  chain.length += length
  chain.room = added - left
  return true
}

/** Copies bytes into the room of the last cell. */
function fill(chain: Chain, from: usize, count: usize): void {
  if (count === 0) return
  const last = chain.last
  copy(last + CONTENT_AT + capacity(last) - chain.room, from, count)
  chain.length += count
  chain.room -= count
}

/** Adds a cell for `bytes`, or for as many as fit, at least twice as large as the last one: chains stay short. */
function extend(chain: Chain, bytes: usize): bool {
  const last = chain.last
  const grown = last === NO_CELL ? bytes : max(bytes, 2 * capacity(last))
  const cell = allocate(min(LARGEST_CELL_BYTES, grown))
  if (cell === NO_CELL) return false
  store<usize>(cell, NO_CELL)
  if (last === NO_CELL) chain.first = cell
  else store<usize>(last, cell)
  chain.last = cell
  chain.room = capacity(cell)
  return true
}
