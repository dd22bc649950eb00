/**
 * Counts by name in shared memory: the first SLOTS names are counted, later ones are not. One thread adds, the main
 * thread reads at any time: a slot's name never changes, and its count is stored after it.
 *
 *     SLOTS × { count int32 | length int32 | name, NAME_BYTES }
 *               0             LENGTH         NAME
 */

const SLOTS = 8
const NAME_BYTES = 96
const WORD_BYTES = 4
/** Offsets in a slot, in bytes. */
const LENGTH = WORD_BYTES
const NAME = LENGTH + WORD_BYTES
const SLOT_BYTES = NAME + NAME_BYTES

/** Bytes of one table; a multiple of 4. */
export const NAME_COUNTS_BYTES = SLOTS * SLOT_BYTES

export class NameCounts {
  readonly #words: Int32Array
  readonly #bytes: Uint8Array

  /** @param at offset of the table, a multiple of 4 */
  constructor(shared: SharedArrayBuffer, at: number) {
    this.#words = new Int32Array(shared, at, NAME_COUNTS_BYTES / WORD_BYTES)
    this.#bytes = new Uint8Array(shared, at, NAME_COUNTS_BYTES)
  }

  /** Counts one of the name in [at, end), of which at most NAME_BYTES distinguish it from others. */
  add(bytes: Uint8Array, at: number, end: number): void {
    const length = Math.min(end - at, NAME_BYTES)
    for (let slot = 0; slot < NAME_COUNTS_BYTES; slot += SLOT_BYTES) {
      const word = slot / WORD_BYTES
      if (this.#words[word] === 0) {
        this.#bytes.set(bytes.subarray(at, at + length), slot + NAME)
        this.#words[(slot + LENGTH) / WORD_BYTES] = length
      } else if (!this.#has(slot, bytes, at, length)) continue
      Atomics.add(this.#words, word, 1)
      return
    }
  }

  /** The counts of the names so far. */
  read(): Map<string, number> {
    const names = new Map<string, number>()
    for (let slot = 0; slot < NAME_COUNTS_BYTES; slot += SLOT_BYTES) {
      const word = slot / WORD_BYTES
      const count = Atomics.load(this.#words, word)
      if (count === 0) break
      names.set(
        Buffer.from(this.#bytes.slice(slot + NAME, slot + NAME + this.#words[(slot + LENGTH) / WORD_BYTES])).toString(),
        count,
      )
    }
    return names
  }

  #has(slot: number, bytes: Uint8Array, at: number, length: number): boolean {
    if (this.#words[(slot + LENGTH) / WORD_BYTES] !== length) return false
    for (let i = 0; i < length; i++) if (this.#bytes[slot + NAME + i] !== bytes[at + i]) return false
    return true
  }
}
