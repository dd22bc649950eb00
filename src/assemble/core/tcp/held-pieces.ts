/**
 * The segments, or parts of them, that cannot be delivered yet: of each stream in sequence order and without overlaps, and
 * of all streams together in the order in which they were captured.
 *
 *     rare.heldRoot ─▶  treap by sequence number: insertion and lookup in O(log n)
 *     rare.held ──▶ piece ─next─▶ piece ─next─▶ …   the same pieces in order, from the one behind the first hole on
 *     oldest ──▶ piece ─newer─▶ piece ─newer─▶ …    pieces of all streams, by capture: which hole is given up first
 *
 * A piece is a cell of the pool: the fields below, then its bytes, which continue in further cells where they do not fit.
 * The treap's priorities are random, so that no order of arrival makes it deep.
 *
 * Invariants: the pieces of a stream do not overlap; the treap's order and that of `next` are the same; each piece is in both
 * and in the list by capture. `heldBytes` and `heldPieces` are the sums over a stream's pieces.
 */

import { copy } from '../../../wasm/copy'
import { allocate, CONTENT_AT, capacity, freePages, LARGEST_CELL_BYTES, NO_CELL, release } from '../memory/cells'
import { append, HELD, oldestIn, remove } from '../memory/list'
import { RareState } from './flow'
import { seqDiff } from './seq'

/** What a cell of the pool holds of a segment, before the bytes. */
@unmanaged
export class Piece {
  /** The next cell of its bytes, or NO_CELL. */
  cell: usize
  length: i32
  /** Packet time of its segment, and the clock when it was captured. */
  micros: f64
  heldSince: f64
  /** State of the stream that the piece belongs to. */
  owner: RareState
  seq: i32
  /** Acknowledgement number of its segment. */
  ack: i32
  priority: i32
  left: Piece | null
  right: Piece | null
  /** The stream's next piece in sequence order. */
  next: Piece | null
  older: Piece | null
  newer: Piece | null
}

/** Offset of a piece's bytes from its record. */
const BYTES_AT: usize = (offsetof<Piece>() + 7) & ~7
const HEADER_BYTES: usize = BYTES_AT - CONTENT_AT

const LINKS: usize = offsetof<Piece>('older')

class Pieces {
  /** Nodes visited by all lookups: what a test of their cost counts. */
  static visits: u32 = 0
  static random: u32 = 1
}

/** @param seed of the priorities, not 0 */
export function openPieces(seed: u32): void {
  Pieces.visits = 0
  Pieces.random = seed
}

/** The piece that has been held longest, or null. */
export function oldestPiece(): Piece | null {
  return changetype<Piece | null>(oldestIn(HELD))
}

/** Nodes of all trees that lookups have visited since the start, modulo 2^32. Only tests read it. */
export function pieceVisits(): u32 {
  return Pieces.visits
}

/** The stream's first piece, or null. */
export function firstPiece(rare: RareState): Piece | null {
  return changetype<Piece | null>(rare.held)
}

/** Sequence number after the last byte. */
export function endSeq(piece: Piece): i32 {
  return piece.seq + piece.length
}

/** The last piece of a stream that begins at or before `seq`, or null. */
export function floorPiece(rare: RareState, seq: i32): Piece | null {
  let found: Piece | null = null
  let piece = changetype<Piece | null>(rare.heldRoot)
  while (piece !== null) {
    Pieces.visits++
    if (seqDiff(piece.seq, seq) >= 0) {
      found = piece
      piece = piece.right
    } else piece = piece.left
  }
  return found
}

/**
 * Holds the bytes [at, end), which no piece of the stream has.
 *
 * @param previous the piece before them, as `floorPiece` finds it, or null
 * @param clock the time now, @param micros of their segment
 * @returns the piece; null when the pool has no room
 */
export function addPiece(
  rare: RareState,
  previous: Piece | null,
  at: usize,
  end: usize,
  seq: i32,
  ack: i32,
  clock: f64,
  micros: f64,
): Piece | null {
  const piece = storePiece(at, end - at)
  if (piece === null) return null
  const length = <i32>(end - at)
  piece.owner = rare
  piece.seq = seq
  piece.length = length
  piece.ack = ack
  piece.micros = micros
  piece.heldSince = clock
  if (previous === null) {
    piece.next = firstPiece(rare)
    rare.held = changetype<usize>(piece)
  } else {
    piece.next = previous.next
    previous.next = piece
  }
  insert(rare, piece, seq)
  append(HELD, changetype<usize>(piece), LINKS)
  rare.heldBytes += length
  rare.heldPieces++
  return piece
}

/** Removes the stream's first piece. There is one. */
export function removeFirst(rare: RareState): void {
  let parent: Piece | null = null
  let first = changetype<Piece>(rare.heldRoot)
  for (let left = first.left; left !== null; left = first.left) {
    Pieces.visits++
    parent = first
    first = left
  }
  if (parent === null) rare.heldRoot = changetype<usize>(first.right)
  else parent.left = first.right
  rare.held = changetype<usize>(first.next)
  rare.heldBytes -= first.length
  rare.heldPieces--
  freePiece(first)
}

/** Removes all pieces of the stream. */
export function clearPieces(rare: RareState): void {
  for (let piece = firstPiece(rare); piece !== null; ) {
    const next = piece.next
    freePiece(piece)
    piece = next
  }
  rare.held = NO_CELL
  rare.heldRoot = NO_CELL
  rare.heldBytes = 0
  rare.heldPieces = 0
}

/** Where the bytes in a cell of the piece begin. @param cell the piece, or one of its further cells */
export function bytesOf(piece: Piece, cell: usize): usize {
  return cell + (cell === changetype<usize>(piece) ? BYTES_AT : CONTENT_AT)
}

/** How many bytes a cell of the piece holds. @param left bytes of the piece from this cell on */
export function bytesIn(piece: Piece, cell: usize, left: i32): i32 {
  return min(left, <i32>(capacity(cell) + CONTENT_AT - (bytesOf(piece, cell) - cell)))
}

/** A cell, and as many further ones as needed, with these bytes; null when there is no room. */
function storePiece(from: usize, length: usize): Piece | null {
  const whole = HEADER_BYTES + length
  if (whole > LARGEST_CELL_BYTES && whole > <usize>freePages() * LARGEST_CELL_BYTES) return null
  const first = allocate(min(whole, LARGEST_CELL_BYTES))
  if (first === NO_CELL) return null
  let cell = first
  let count = min(length, capacity(first) - HEADER_BYTES)
  copy(first + BYTES_AT, from, count)
  for (let done = count; done < length; done += count) {
    const next = allocate(min(length - done, LARGEST_CELL_BYTES))
    count = min(length - done, capacity(next))
    copy(next + CONTENT_AT, from + done, count)
    store<usize>(cell, next)
    cell = next
  }
  store<usize>(cell, NO_CELL)
  return changetype<Piece>(first)
}

function freePiece(piece: Piece): void {
  remove(HELD, changetype<usize>(piece), LINKS)
  for (let cell = changetype<usize>(piece); cell !== NO_CELL; ) {
    const next = load<usize>(cell)
    release(cell)
    cell = next
  }
}

/** Inserts a leaf where its priority puts it, and splits what is below that place into its two subtrees. */
function insert(rare: RareState, piece: Piece, seq: i32): void {
  const priority = nextRandom()
  piece.priority = priority
  let slot = changetype<usize>(rare) + offsetof<RareState>('heldRoot')
  let at = changetype<Piece | null>(rare.heldRoot)
  while (at !== null && at.priority >= priority) {
    Pieces.visits++
    slot = childSlot(at, seq)
    at = changetype<Piece | null>(load<usize>(slot))
  }
  store<usize>(slot, changetype<usize>(piece))
  let left = changetype<usize>(piece) + offsetof<Piece>('left')
  let right = changetype<usize>(piece) + offsetof<Piece>('right')
  while (at !== null) {
    Pieces.visits++
    const next = childSlot(at, seq)
    if (seqDiff(at.seq, seq) >= 0) {
      store<usize>(left, changetype<usize>(at))
      left = next
    } else {
      store<usize>(right, changetype<usize>(at))
      right = next
    }
    at = changetype<Piece | null>(load<usize>(next))
  }
  store<usize>(left, 0)
  store<usize>(right, 0)
}

/** Address of the link of a node below which `seq` belongs. */
function childSlot(piece: Piece, seq: i32): usize {
  const isAfter = seqDiff(piece.seq, seq) >= 0
  return changetype<usize>(piece) + (isAfter ? offsetof<Piece>('right') : offsetof<Piece>('left'))
}

/** Xorshift (Marsaglia, 2003). */
function nextRandom(): i32 {
  let random = Pieces.random
  random ^= random << 13
  random ^= random >> 17
  random ^= random << 5
  Pieces.random = random
  return <i32>random
}
