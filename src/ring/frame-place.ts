/**
 * Frames in place: where one thread reads files and assembles them, the capture stage reads the file into a window in the assembler's own
 * memory, and no frame is copied. It describes each frame by a record (PLACED, layout.ts), which the assembler reads as it reads those
 * of a ring.
 *
 *     window                   records                     spare
 *     +--------------------+   +-----+-----+-----+-----+   +---------------------------------------+
 *     | bytes of the file  | ◀─|     |     |     |  ───┼──▶| frames from elsewhere: of fragments,  |
 *     |                    |   |     |     |     |     |   | or of a record longer than the window |
 *     +--------------------+   +-----+-----+-----+-----+   +---------------------------------------+
 *
 * Both ends are in one thread, so neither waits: before bytes of the window are overwritten, and where there is no room, the assembler
 * runs. Frames that it does not read then, because it has failed and was not replaced yet, are lost like those that are left in a ring.
 */
import { copyBytes } from './copy-bytes.ts'
import type { Doorbell } from './doorbell.ts'
import { align8, LENGTH_AT, PLACED, TAG_AT } from './layout.ts'

/** Small enough to stay in a core's cache between reading and parsing, large enough to make system calls rare. */
export const WINDOW_BYTES = 512 * 1024
/**
 * Room for the frames of a window, whose records in a capture file are no shorter than theirs here (16 bytes of header, and 24 for IP and
 * ports), and for the descriptions of 1024 interfaces with the longest names.
 */
export const PLACED_RECORDS_BYTES = WINDOW_BYTES + 2 * 1024 * 1024

/** Addresses in a memory. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** Where the parts of a place lie in their memory. */
export interface PlaceRegions {
  readonly window: Span
  readonly records: Span
  /** Holds the largest packet (MAX_FRAME_BYTES) at least. */
  readonly spare: Span
}

/** The end of a place's input, which the main thread declares where the thread of the capture stage cannot. */
export class PlaceEnd {
  readonly #word: Int32Array
  readonly #assembler: Doorbell

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer(4)
  }

  constructor(shared: SharedArrayBuffer, assembler: Doorbell) {
    this.#word = new Int32Array(shared)
    this.#assembler = assembler
  }

  get closed(): boolean {
    return Atomics.load(this.#word, 0) === 1
  }

  close(): void {
    Atomics.store(this.#word, 0, 1)
    this.#assembler.ring()
  }
}

/** Both ends of a place. Each `claim` is followed by `commit`, before anything else is called but `copy`. */
export class FramePlace {
  /** Views of the whole memory. */
  readonly bytes: Uint8Array
  readonly words: Int32Array
  readonly doubles: Float64Array
  readonly window: Span
  readonly #records: Span
  readonly #spare: Span
  readonly #end: PlaceEnd
  readonly #process: () => void
  /** Records that were not read are at #next…#last. */
  #next: number
  #last: number
  #spareNext: number

  /**
   * @param end of the input
   * @param process makes the assembler read all records, if one runs
   */
  constructor(memory: ArrayBufferLike, { window, records, spare }: PlaceRegions, end: PlaceEnd, process: () => void) {
    this.bytes = new Uint8Array(memory)
    this.words = new Int32Array(memory)
    this.doubles = new Float64Array(memory)
    this.window = window
    this.#records = records
    this.#spare = spare
    this.#end = end
    this.#process = process
    this.#next = this.#last = records.start
    this.#spareNext = spare.start
  }

  /** Address of the first record that was not read. */
  get next(): number {
    return this.#next
  }

  /** Bytes of records that were not read. */
  get waiting(): number {
    return this.#last - this.#next
  }

  /** Nothing waits, and nothing will. */
  get finished(): boolean {
    return this.waiting === 0 && this.#end.closed
  }

  /** Marks records of so many bytes as read. */
  release(length: number): void {
    this.#next += length
  }

  /**
   * Makes room for a record, and for bytes in the spare part. What an earlier call has returned is invalid unless it was committed.
   *
   * @param length of the record, at most that of an interface's description
   * @param spare bytes, at most MAX_FRAME_BYTES
   * @returns address of the record, which `commit` makes readable
   */
  claim(length: number, spare = 0): number {
    if (this.#next === this.#last) this.#rewind()
    if (!this.#hasRoom(length, spare)) this.settle()
    return this.#last
  }

  /** Copies bytes into the room in the spare part that was claimed last. @returns their address */
  copy(bytes: Uint8Array, start: number, end: number): number {
    const to = this.#spareNext
    copyBytes(bytes, start, end, this.bytes, to)
    this.#spareNext = to + end - start
    return to
  }

  /** @param length as claimed */
  commit(length: number): void {
    const size = align8(length)
    this.words[(this.#last + LENGTH_AT) >> 2] = size
    this.commitWritten(size)
  }

  /** Up to where records can be written whose first one was claimed. */
  get recordsEnd(): number {
    return this.#records.end
  }

  /** Makes records readable that were written from the claimed address on, with their lengths. @param bytes of all of them */
  commitWritten(bytes: number): void {
    this.#last += bytes
  }

  /** The window's bytes are no longer needed: all frames have been read, or are lost. */
  settle(): void {
    if (this.#next === this.#last) return
    this.#process()
    this.#dropFrames()
  }

  /** Nothing follows. */
  close(): void {
    this.#end.close()
  }

  #hasRoom(length: number, spare: number): boolean {
    return this.#last + align8(length) <= this.#records.end && this.#spareNext + spare <= this.#spare.end
  }

  #rewind(): void {
    this.#next = this.#last = this.#records.start
    this.#spareNext = this.#spare.start
  }

  /** Keeps the other records, which the next assembler needs. */
  #dropFrames(): void {
    const { bytes, words } = this
    const end = this.#last
    let next = this.#next
    this.#rewind()
    while (next < end) {
      const length = words[(next + LENGTH_AT) >> 2]
      if (words[(next + TAG_AT) >> 2] !== PLACED) {
        bytes.copyWithin(this.#last, next, next + length)
        this.#last += length
      }
      next += length
    }
  }
}
