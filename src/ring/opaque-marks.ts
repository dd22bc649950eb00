/**
 * Marks connections that carry no HTTP/1, so that a live capture worker need not copy their payload. The assembler
 * detects and marks them, in memory that it shares with the worker: one table for each frame ring.
 *
 * A connection has the line that its flow hash chooses. A line holds the connection that was marked last:
 *
 *     +------+-------+------------+------------+
 *     | hash | check | marked in  | generation |     × LINES
 *     +------+-------+------------+------------+
 *       the assembler writes these  the worker this
 *
 * Invariant: payload is left out only of segments that follow, in the ring, the segment whose processing marked their
 * connection, without a SYN, FIN or RST on the line between them. With each of these the worker begins another
 * generation of the line. A frame's record holds the generation of its line, and a mark is valid in the generation of
 * the record that it was made at. So what a new connection between the same ends sends is copied, however far the
 * assembler is behind.
 */

const LINES = 8192
const LINE_WORDS = 4
const HASH = 0
const CHECK = 1
const MARKED_IN = 2
const GENERATION = 3
/** Generations are not negative, so that a record can hold either a generation or a negative number (ring/layout.ts). */
const GENERATION_MASK = 0x7fffffff

export class OpaqueMarks {
  readonly #words: Int32Array

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer(LINES * LINE_WORDS * 4)
  }

  constructor(shared: SharedArrayBuffer) {
    this.#words = new Int32Array(shared)
  }

  /** The worker's: the present generation of a connection's line. */
  generation(hash: number): number {
    return this.#words[lineOf(hash) + GENERATION]
  }

  /** The worker's: no mark on the line is valid from here on. */
  beginGeneration(hash: number): void {
    const at = lineOf(hash) + GENERATION
    this.#words[at] = (this.#words[at] + 1) & GENERATION_MASK
  }

  /** The worker's: whether a connection may be marked. Cheaper than `holds`: it does not compare the check. */
  mayHold(hash: number): boolean {
    return this.#words[lineOf(hash) + HASH] === hash && hash !== 0
  }

  /** The worker's: whether a connection is marked. @param check its `connectionCheck` */
  holds(hash: number, check: number): boolean {
    const words = this.#words
    const at = lineOf(hash)
    if (Atomics.load(words, at + HASH) !== hash) return false
    if (Atomics.load(words, at + CHECK) !== check) return false
    if (Atomics.load(words, at + MARKED_IN) !== words[at + GENERATION]) return false
    // The assembler may have replaced the line meanwhile.
    return Atomics.load(words, at + HASH) === hash
  }

  /** The assembler's: marks a connection. @param generation that of the record which is being processed */
  mark(hash: number, check: number, generation: number): void {
    const words = this.#words
    const at = lineOf(hash)
    Atomics.store(words, at + HASH, 0)
    Atomics.store(words, at + CHECK, check)
    Atomics.store(words, at + MARKED_IN, generation)
    Atomics.store(words, at + HASH, hash)
  }

  /** The assembler's: whether the line holds this connection's mark, so that it need not be written again. */
  isMarked(hash: number, generation: number): boolean {
    const at = lineOf(hash)
    return this.#words[at + HASH] === hash && this.#words[at + MARKED_IN] === generation
  }

  /** The assembler's: removes the mark of a connection whose payload it needs. */
  erase(hash: number): void {
    Atomics.store(this.#words, lineOf(hash) + HASH, 0)
  }

  /** The assembler's: removes all marks. One that has just started knows no connection. */
  clear(): void {
    const words = this.#words
    // Only lines in use: writing to the others would make their pages resident.
    for (let at = 0; at < words.length; at += LINE_WORDS) if (words[at + HASH] !== 0) Atomics.store(words, at + HASH, 0)
  }
}

/**
 * Distinguishes connections of equal flow hash: by ends, interface and virtual network, the same in both directions.
 *
 * @param ip, tcp offsets of the headers in `view`
 */
export function connectionCheck(view: DataView, ip: number, tcp: number, interfaceId: number, network: number): number {
  const source = endCheck(view, ip, true) ^ Math.imul(view.getUint16(tcp) + 1, 0x27d4eb2f)
  const target = endCheck(view, ip, false) ^ Math.imul(view.getUint16(tcp + 2) + 1, 0x27d4eb2f)
  const ends = Math.imul(source ^ (source >>> 15), 0x165667b1) + Math.imul(target ^ (target >>> 15), 0x165667b1)
  return (ends ^ Math.imul(interfaceId + 1, 0x9e3779b1) ^ Math.imul(network, 0xc2b2ae3d)) | 0
}

function endCheck(view: DataView, ip: number, isSource: boolean): number {
  if (view.getUint8(ip) >>> 4 === 4) return Math.imul(view.getInt32(ip + (isSource ? 12 : 16)), 0x85ebca77)
  const at = ip + (isSource ? 8 : 24)
  let check = 0
  for (let i = 0; i < 16; i += 4) check = Math.imul(check ^ view.getInt32(at + i), 0x85ebca77)
  return check
}

const lineOf = (hash: number): number => (hash & (LINES - 1)) * LINE_WORDS
