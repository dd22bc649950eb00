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

/** @returns the address of the first colon in [at, end), or -1 */
export function findColon(view: DataView, at: number, end: number): number {
  return findByte(view, at, end, COLON_WORD)
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

/** Lower-case ASCII bytes to compare wire bytes with, ignoring case. */
export class Caseless {
  readonly length: number
  readonly #bytes: Uint8Array

  /** @param text ASCII */
  constructor(text: string) {
    this.#bytes = new TextEncoder().encode(text.toLowerCase())
    this.length = this.#bytes.length
  }

  /** True when the bytes at `at` are this text, ignoring ASCII case. The caller has compared the length. */
  matches(bytes: Uint8Array, at: number): boolean {
    const own = this.#bytes
    for (let i = 0; i < own.length; i++) {
      const c = bytes[at + i]
      if (c !== own[i] && (c < 65 || c > 90 || c + 32 !== own[i])) return false
    }
    return true
  }
}
