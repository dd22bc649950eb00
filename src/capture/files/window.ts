/**
 * The part of a file that is in memory: bytes are read to its end and parsed from its beginning. Reading allocates
 * nothing; only a record that does not fit is read into a larger buffer, until all that waits fits again.
 *
 * Thread: the capture worker's. Positions in `bytes` are valid until the next `prepare`.
 */
import { copyBytes } from '../../ring/copy-bytes.ts'
import { type FramePlace, WINDOW_BYTES } from '../../ring/frame-place.ts'

/** With less room than this, the unparsed bytes are moved to the front before the next read. */
const MIN_READ_BYTES = 64 * 1024

/** The memory that a window usually occupies. */
export interface WindowMemory {
  readonly bytes: Uint8Array
  /** Its part of `bytes`. */
  readonly start: number
  readonly end: number
  /** Called before bytes in it are overwritten. */
  settle(): void
}

/** Memory of its own, for frames that are copied. */
export const ownMemory = (): WindowMemory => ({
  bytes: new Uint8Array(WINDOW_BYTES),
  start: 0,
  end: WINDOW_BYTES,
  settle: () => {},
})

/** The window of a place, whose frames are not copied. */
export const memoryOf = (place: FramePlace): WindowMemory => ({
  bytes: place.bytes,
  ...place.window,
  settle: () => place.settle(),
})

export class Window {
  bytes: Uint8Array
  view: DataView
  /** Unparsed bytes are at begin…end. */
  begin: number
  end: number
  /** Bytes from `begin` that the parser needs in order to continue. Bounded by the parsers. */
  wanted = 1
  /** File offset of bytes[0]; may be negative. */
  #origin: number
  /** Bytes may be read up to here. */
  #limit: number
  readonly #memory: WindowMemory
  /** A buffer for records that do not fit into the memory. */
  #larger = new Uint8Array(0)

  constructor(memory: WindowMemory) {
    this.#memory = memory
    this.bytes = memory.bytes
    this.view = viewOf(memory.bytes)
    this.begin = this.end = memory.start
    this.#limit = memory.end
    this.#origin = -memory.start
  }

  /** File offset of the next unparsed byte. */
  get offset(): number {
    return this.#origin + this.begin
  }

  get available(): number {
    return this.end - this.begin
  }

  /**
   * Makes room behind `end`.
   *
   * @returns how many bytes fit there, at least one
   */
  prepare(): number {
    this.#memory.settle()
    const isShort = this.#limit - this.end < MIN_READ_BYTES || this.begin + this.wanted > this.#limit
    if (isShort || this.begin === this.end) this.#moveToFront()
    return this.#limit - this.end
  }

  /** Adds `count` bytes that were read to `end`. */
  filled(count: number): void {
    this.end += count
  }

  /** Marks `count` of the available bytes as parsed. */
  skip(count: number): void {
    this.begin += count
  }

  /** Moves the unparsed bytes to the front of the memory, or of a larger buffer if more are needed. */
  #moveToFront(): void {
    const { start, end } = this.#memory
    const needed = Math.max(this.wanted, this.available + 1)
    if (needed <= end - start) this.#moveTo(this.#memory.bytes, start, end)
    else {
      if (this.#larger.length < needed) this.#larger = new Uint8Array(doubled(end - start, needed))
      this.#moveTo(this.#larger, 0, this.#larger.length)
    }
  }

  #moveTo(bytes: Uint8Array, start: number, limit: number): void {
    const { offset, available } = this
    if (bytes === this.bytes) bytes.copyWithin(start, this.begin, this.end)
    else {
      copyBytes(this.bytes, this.begin, this.end, bytes, start)
      this.bytes = bytes
      this.view = viewOf(bytes)
    }
    this.begin = start
    this.end = start + available
    this.#limit = limit
    this.#origin = offset - start
  }
}

function doubled(size: number, least: number): number {
  let bytes = size
  while (bytes < least) bytes *= 2
  return bytes
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
