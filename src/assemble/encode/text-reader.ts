/** Skips encoded strings and arrays (MessagePack specification, "Formats"). */
import type { Arena } from '../memory/arena.ts'

export class TextReader {
  readonly #arena: Arena

  constructor(arena: Arena) {
    this.#arena = arena
  }

  /** The address after the string at `at`. */
  afterString(at: number): number {
    const { bytes, view } = this.#arena
    const first = bytes[at]
    if (first < 0xc0) return at + 1 + (first & 31)
    if (first === 0xd9) return at + 2 + bytes[at + 1]
    return first === 0xda ? at + 3 + view.getUint16(at + 1) : at + 5 + view.getUint32(at + 1)
  }

  /** The address of the first byte of the string at `at`. */
  afterStringHeader(at: number): number {
    const first = this.#arena.bytes[at]
    return first < 0xc0 ? at + 1 : first === 0xd9 ? at + 2 : first === 0xda ? at + 3 : at + 5
  }

  /** The number of elements of the array at `at`. */
  arrayLength(at: number): number {
    const { bytes, view } = this.#arena
    const first = bytes[at]
    return first < 0xdc ? first & 15 : first === 0xdc ? view.getUint16(at + 1) : view.getUint32(at + 1)
  }

  /** The address of the first element of the array at `at`. */
  afterArrayHeader(at: number): number {
    const first = this.#arena.bytes[at]
    return first < 0xdc ? at + 1 : first === 0xdc ? at + 3 : at + 5
  }
}
