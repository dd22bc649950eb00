/** Delimiter bytes of HTTP, and case-insensitive comparison, for the host. The program has its own (`core/head/bytes.ts`). */

export const CR = 13
export const LF = 10
export const SPACE = 32
export const TAB = 9
export const SEMICOLON = 59

/**
 * ASCII text that wire bytes are compared with, ignoring case: word by word with bit 5 set, which makes letters lower case
 * and does not change digits and hyphens. A control character then equals a punctuation mark, but no field name has one.
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
