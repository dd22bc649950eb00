/**
 * Byte classes and word-wise searches over the arena. Words are little-endian whatever the host, as DataView says.
 * A search reads up to 7 bytes past `end`; it never answers with a position there.
 */

export const CR = 13
export const LF = 10
export const SPACE = 32
export const TAB = 9
export const COLON = 58
export const SEMICOLON = 59
export const COMMA = 44

const LF_WORD = 0x0a0a0a0a
const COLON_WORD = 0x3a3a3a3a

/** 1 for the bytes a token is made of (RFC 9110 §5.6.2). */
export const TOKEN: Uint8Array = (() => {
  const table = new Uint8Array(256)
  for (const c of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    table[c.charCodeAt(0)] = 1
  return table
})()

/** @returns the address of the first LF in [at, end), or -1 */
export function findLf(view: DataView, at: number, end: number): number {
  return findByte(view, at, end, LF_WORD)
}

/** @returns the address of the first colon or LF in [at, end), or -1 */
export function findColonOrLf(view: DataView, at: number, end: number): number {
  for (let i = at; i < end; i += 4) {
    const word = view.getInt32(i, true)
    const colon = word ^ COLON_WORD
    const lf = word ^ LF_WORD
    const hit = (((colon - 0x01010101) & ~colon) | ((lf - 0x01010101) & ~lf)) & 0x80808080
    if (hit !== 0) {
      const found = i + lowestLane(hit)
      return found < end ? found : -1
    }
  }
  return -1
}

/** @returns where a start line may begin: servers ignore empty lines in front of one (RFC 9112 §2.2) */
export function skipEmptyLines(bytes: Uint8Array, at: number, end: number): number {
  let start = at
  while (start < end && (bytes[start] === CR || bytes[start] === LF)) start++
  return start
}

/** Eight bytes a step: a byte of `x` is zero exactly where the highest bit of its lane comes up (Mycroft's test). */
function findByte(view: DataView, at: number, end: number, pattern: number): number {
  for (let i = at; i < end; i += 8) {
    const x = view.getInt32(i, true) ^ pattern
    const y = view.getInt32(i + 4, true) ^ pattern
    const hitX = (x - 0x01010101) & ~x & 0x80808080
    const hitY = (y - 0x01010101) & ~y & 0x80808080
    if ((hitX | hitY) !== 0) {
      const found = hitX !== 0 ? i + lowestLane(hitX) : i + 4 + lowestLane(hitY)
      return found < end ? found : -1
    }
  }
  return -1
}

/** Lane of the lowest bit set. */
const lowestLane = (hit: number): number => (31 - Math.clz32(hit & -hit)) >> 3

/**
 * Lower-case ASCII text to compare wire bytes with, ignoring case: word by word with bit 5 set, which makes letters lower
 * case and leaves what else names are made of as it is. Control characters may pass for punctuation; no field is
 * spelt with them.
 */
export class Caseless {
  readonly length: number
  readonly #words: Int32Array
  /** The last four bytes, which may overlap the word before; all of a shorter text. */
  readonly #tail: number
  readonly #tailAt: number
  readonly #tailMask: number

  /** @param text ASCII */
  constructor(text: string) {
    const bytes = new TextEncoder().encode(text.toLowerCase().padEnd(4, '\0'))
    const view = new DataView(bytes.buffer)
    this.length = text.length
    this.#words = Int32Array.from({ length: text.length >> 2 }, (_, i) => view.getInt32(i * 4, true) | CASE_BITS)
    this.#tailAt = bytes.length - 4
    this.#tailMask = text.length < 4 ? (1 << (text.length * 8)) - 1 : -1
    this.#tail = (view.getInt32(this.#tailAt, true) | CASE_BITS) & this.#tailMask
  }

  /** True when the bytes at `at` are this text, ignoring ASCII case. The caller has compared the length. */
  matches(view: DataView, at: number): boolean {
    const words = this.#words
    for (let i = 0; i < words.length; i++) {
      if ((view.getInt32(at + i * 4, true) | CASE_BITS) !== words[i]) return false
    }
    return ((view.getInt32(at + this.#tailAt, true) | CASE_BITS) & this.#tailMask) === this.#tail
  }
}

const CASE_BITS = 0x20202020
