/**
 * The segments, or parts of them, that cannot be delivered yet: of each stream in sequence order and without overlaps, and
 * of all streams together in the order in which they were captured.
 *
 *     stream.rare.heldRoot ─▶  treap by sequence number: insertion and lookup in O(log n)
 *     stream.held ──▶ piece ─next─▶ piece ─next─▶ …   the same pieces in order, from the one behind the first hole on
 *     oldest ──▶ piece ─newer─▶ piece ─newer─▶ …      pieces of all streams, by capture: which hole is given up first
 *
 * A piece is a cell of the pool: the fields below, then its bytes, which continue in further cells where they do not fit.
 * The treap's priorities are random, so that no order of arrival makes it deep.
 */
import type { Arena } from '../memory/arena.ts'
import { type CellPool, CONTENT_AT, LARGEST_CELL_BYTES, NO_CELL } from '../memory/cell-pool.ts'
import type { Stream } from './flow.ts'
import { seqAdd, seqDiff } from './seq.ts'

/** No piece, and no stream's first one. */
export const NO_PIECE = NO_CELL

/** Fields of a piece; the first word of its cell links to the next cell of its bytes. */
const OWNER = 4
const SEQ = 8
const LENGTH = 12
const ACK = 16
const PRIORITY = 20
const LEFT = 24
const RIGHT = 28
const NEXT = 32
const OLDER = 36
const MICROS = 40
const HELD_SINCE = 48
const NEWER = 56
const BYTES_AT = 64
const HEADER_BYTES = BYTES_AT - CONTENT_AT

export class HeldPieces {
  /** The piece that has been held longest. */
  oldest = NO_PIECE
  /** Nodes visited by all lookups: what a test of their cost counts. */
  visits = 0
  /** Set by `bytes`. */
  bytesAt = 0
  bytesLength = 0
  readonly #arena: Arena
  readonly #view: DataView
  readonly #cells: CellPool
  #newest = NO_PIECE
  #random = Math.floor(Math.random() * 2 ** 32) | 1

  constructor(arena: Arena, cells: CellPool) {
    this.#arena = arena
    this.#view = arena.view
    this.#cells = cells
  }

  seq(piece: number): number {
    return this.#view.getInt32(piece + SEQ, true)
  }

  /** Sequence number after the last byte. */
  endSeq(piece: number): number {
    return seqAdd(this.#view.getInt32(piece + SEQ, true), this.#view.getInt32(piece + LENGTH, true))
  }

  length(piece: number): number {
    return this.#view.getInt32(piece + LENGTH, true)
  }

  /** Acknowledgement number of its segment. */
  ack(piece: number): number {
    return this.#view.getInt32(piece + ACK, true)
  }

  /** Packet time of its segment. */
  micros(piece: number): number {
    return this.#view.getFloat64(piece + MICROS, true)
  }

  /** The clock when it was captured. */
  heldSince(piece: number): number {
    return this.#view.getFloat64(piece + HELD_SINCE, true)
  }

  /** The stream that it belongs to: its `owner`. */
  owner(piece: number): number {
    return this.#view.getInt32(piece + OWNER, true)
  }

  /** The stream's next piece in sequence order, or NO_PIECE. */
  next(piece: number): number {
    return this.#view.getInt32(piece + NEXT, true)
  }

  /** The last piece of a stream that begins at or before `seq`, or NO_PIECE. */
  floor(stream: Stream, seq: number): number {
    const view = this.#view
    let found = NO_PIECE
    for (let piece = stream.rare.heldRoot; piece !== NO_PIECE; ) {
      this.visits++
      if (seqDiff(view.getInt32(piece + SEQ, true), seq) >= 0) {
        found = piece
        piece = view.getInt32(piece + RIGHT, true)
      } else piece = view.getInt32(piece + LEFT, true)
    }
    return found
  }

  /**
   * Holds the bytes [at, end), which no piece of the stream has.
   *
   * @param previous the piece before them, as `floor` finds it, or NO_PIECE
   * @param clock the time now, @param micros of their segment
   * @returns the piece; NO_PIECE when the pool has no room
   */
  add(
    stream: Stream,
    previous: number,
    at: number,
    end: number,
    seq: number,
    ack: number,
    clock: number,
    micros: number,
  ): number {
    const piece = this.#store(at, end - at)
    if (piece === NO_PIECE) return NO_PIECE
    const view = this.#view
    view.setInt32(piece + OWNER, stream.owner, true)
    view.setInt32(piece + SEQ, seq, true)
    view.setInt32(piece + LENGTH, end - at, true)
    view.setInt32(piece + ACK, ack, true)
    view.setFloat64(piece + MICROS, micros, true)
    view.setFloat64(piece + HELD_SINCE, clock, true)
    if (previous === NO_PIECE) {
      view.setInt32(piece + NEXT, stream.held, true)
      stream.held = piece
    } else {
      view.setInt32(piece + NEXT, view.getInt32(previous + NEXT, true), true)
      view.setInt32(previous + NEXT, piece, true)
    }
    this.#insert(stream, piece, seq)
    this.#append(piece)
    stream.rare.heldBytes += end - at
    stream.rare.heldPieces++
    return piece
  }

  /** Removes the stream's first piece. */
  removeFirst(stream: Stream): void {
    const view = this.#view
    let parent = NO_PIECE
    let first = stream.rare.heldRoot
    for (let left = view.getInt32(first + LEFT, true); left !== NO_PIECE; left = view.getInt32(left + LEFT, true)) {
      this.visits++
      parent = first
      first = left
    }
    const rest = view.getInt32(first + RIGHT, true)
    if (parent === NO_PIECE) stream.rare.heldRoot = rest
    else view.setInt32(parent + LEFT, rest, true)
    stream.held = view.getInt32(first + NEXT, true)
    stream.rare.heldBytes -= view.getInt32(first + LENGTH, true)
    stream.rare.heldPieces--
    this.#free(first)
  }

  /** Removes all pieces of the stream. */
  clear(stream: Stream): void {
    if (stream.held === NO_PIECE) return
    for (let piece = stream.held; piece !== NO_PIECE; ) {
      const next = this.#view.getInt32(piece + NEXT, true)
      this.#free(piece)
      piece = next
    }
    stream.held = NO_PIECE
    stream.rare.heldRoot = NO_PIECE
    stream.rare.heldBytes = 0
    stream.rare.heldPieces = 0
  }

  /**
   * Sets `bytesAt` and `bytesLength` to the bytes that lie in a cell of the piece.
   *
   * @param cell the piece, or what the last call has returned; @param left bytes of the piece from this cell on
   * @returns the next cell
   */
  bytes(piece: number, cell: number, left: number): number {
    const at = cell === piece ? BYTES_AT : CONTENT_AT
    this.bytesAt = cell + at
    this.bytesLength = Math.min(left, this.#cells.capacity(cell) + CONTENT_AT - at)
    return this.#view.getInt32(cell, true)
  }

  #store(from: number, length: number): number {
    const cells = this.#cells
    const whole = HEADER_BYTES + length
    if (whole > LARGEST_CELL_BYTES && whole > cells.freePages * LARGEST_CELL_BYTES) return NO_PIECE
    const piece = cells.allocate(Math.min(whole, LARGEST_CELL_BYTES))
    if (piece === NO_CELL) return NO_PIECE
    let cell = piece
    let count = Math.min(length, cells.capacity(piece) - HEADER_BYTES)
    this.#arena.copy(piece + BYTES_AT, from, count)
    for (let done = count; done < length; done += count) {
      const next = cells.allocate(Math.min(length - done, LARGEST_CELL_BYTES))
      count = Math.min(length - done, cells.capacity(next))
      this.#arena.copy(next + CONTENT_AT, from + done, count)
      this.#view.setInt32(cell, next, true)
      cell = next
    }
    this.#view.setInt32(cell, NO_CELL, true)
    return piece
  }

  #free(piece: number): void {
    const view = this.#view
    const older = view.getInt32(piece + OLDER, true)
    const newer = view.getInt32(piece + NEWER, true)
    if (older === NO_PIECE) this.oldest = newer
    else view.setInt32(older + NEWER, newer, true)
    if (newer === NO_PIECE) this.#newest = older
    else view.setInt32(newer + OLDER, older, true)
    for (let cell = piece; cell !== NO_CELL; ) {
      const next = view.getInt32(cell, true)
      this.#cells.free(cell)
      cell = next
    }
  }

  #append(piece: number): void {
    const newest = this.#newest
    this.#view.setInt32(piece + OLDER, newest, true)
    this.#view.setInt32(piece + NEWER, NO_PIECE, true)
    if (newest === NO_PIECE) this.oldest = piece
    else this.#view.setInt32(newest + NEWER, piece, true)
    this.#newest = piece
  }

  /** Inserts a leaf where its priority puts it, and splits what is below that place into its two subtrees. */
  #insert(stream: Stream, piece: number, seq: number): void {
    const view = this.#view
    const priority = this.#nextRandom()
    view.setInt32(piece + PRIORITY, priority, true)
    let slot = 0
    let at = stream.rare.heldRoot
    while (at !== NO_PIECE && view.getInt32(at + PRIORITY, true) >= priority) {
      this.visits++
      slot = at + (seqDiff(view.getInt32(at + SEQ, true), seq) >= 0 ? RIGHT : LEFT)
      at = view.getInt32(slot, true)
    }
    if (slot === 0) stream.rare.heldRoot = piece
    else view.setInt32(slot, piece, true)
    let left = piece + LEFT
    let right = piece + RIGHT
    while (at !== NO_PIECE) {
      this.visits++
      if (seqDiff(view.getInt32(at + SEQ, true), seq) >= 0) {
        view.setInt32(left, at, true)
        left = at + RIGHT
        at = view.getInt32(left, true)
      } else {
        view.setInt32(right, at, true)
        right = at + LEFT
        at = view.getInt32(right, true)
      }
    }
    view.setInt32(left, NO_PIECE, true)
    view.setInt32(right, NO_PIECE, true)
  }

  /** Xorshift (Marsaglia, 2003). */
  #nextRandom(): number {
    let random = this.#random
    random ^= random << 13
    random ^= random >>> 17
    random ^= random << 5
    this.#random = random
    return random
  }
}
