/** Skips encoded strings and arrays (MessagePack specification, "Formats"). */

/** A memory, seen as bytes and as numbers. */
export interface ReadableMemory {
  readonly bytes: Uint8Array
  readonly view: DataView
}

export class TextReader {
  readonly #memory: ReadableMemory

  constructor(memory: ReadableMemory) {
    this.#memory = memory
  }

  /** The address after the string at `at`. */
  afterString(at: number): number {
    const { bytes, view } = this.#memory
    const first = bytes[at]
    if (first < 0xc0) return at + 1 + (first & 31)
    if (first === 0xd9) return at + 2 + bytes[at + 1]
    return first === 0xda ? at + 3 + view.getUint16(at + 1) : at + 5 + view.getUint32(at + 1)
  }

  /** The address of the first byte of the string at `at`. */
  afterStringHeader(at: number): number {
    const first = this.#memory.bytes[at]
    return first < 0xc0 ? at + 1 : first === 0xd9 ? at + 2 : first === 0xda ? at + 3 : at + 5
  }

  /** The number of elements of the array at `at`. */
  arrayLength(at: number): number {
    const { bytes, view } = this.#memory
    const first = bytes[at]
    return first < 0xdc ? first & 15 : first === 0xdc ? view.getUint16(at + 1) : view.getUint32(at + 1)
  }

  /** The address of the first element of the array at `at`. */
  afterArrayHeader(at: number): number {
    const first = this.#memory.bytes[at]
    return first < 0xdc ? at + 1 : first === 0xdc ? at + 3 : at + 5
  }
}
