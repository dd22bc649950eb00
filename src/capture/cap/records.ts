/**
 * The records that the cap child writes to its standard output, each beginning at a multiple of 8.
 *
 *     0        4          6          8                16
 *     +--------+----------+----------+----------------+------------ … -+
 *     | length | position | linkType |     micros     | bytes, padding |
 *     |  u32   |   u16    |   u16    |      f64       |                |
 *     +--------+----------+----------+----------------+------------ … -+
 *
 * `position` is the interface's index in the source's list. Two special link types mark events: OPENED once all
 * interfaces are captured, and FAILED with a JSON `CapFailure` as bytes, after which the child exits. The byte order is
 * the host's.
 */
import { align8 } from '../../ring/layout.ts'

export const RECORD_HEADER_BYTES = 16
export const OPENED = 0xfffe
export const FAILED = 0xffff

/** An error of libpcap, or of loading cap. */
export interface CapFailure {
  message: string
}

/** Splits a stream of chunks into records. */
export class RecordReader {
  readonly #onRecord: (bytes: Uint8Array, view: DataView, start: number) => void
  #bytes = new Uint8Array(1 << 20)
  #view = new DataView(this.#bytes.buffer)
  #used = 0

  /** @param onRecord called with the memory that holds a record, valid during the call, and the record's offset */
  constructor(onRecord: (bytes: Uint8Array, view: DataView, start: number) => void) {
    this.#onRecord = onRecord
  }

  /** Processes the next chunk, of any size. */
  push(chunk: Uint8Array): void {
    this.#reserve(chunk.length)
    this.#bytes.set(chunk, this.#used)
    this.#used += chunk.length
    let at = 0
    while (this.#used - at >= RECORD_HEADER_BYTES) {
      const size = RECORD_HEADER_BYTES + align8(this.#view.getUint32(at, true))
      if (this.#used - at < size) break
      this.#onRecord(this.#bytes, this.#view, at)
      at += size
    }
    this.#bytes.copyWithin(0, at, this.#used)
    this.#used -= at
  }

  /**
   * Grows the buffer. Its size is bounded: a record has at most a snap length, a chunk at most one read of the pipe.
   */
  #reserve(length: number): void {
    if (this.#used + length <= this.#bytes.length) return
    const larger = new Uint8Array((this.#used + length) * 2)
    larger.set(this.#bytes.subarray(0, this.#used))
    this.#bytes = larger
    this.#view = new DataView(larger.buffer)
  }
}

/** Collects records and writes them in large chunks. */
export class RecordWriter {
  readonly #write: (bytes: Uint8Array) => void
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #used = 0

  /** @param maxLength maximum length of a record's bytes */
  constructor(maxLength: number, write: (bytes: Uint8Array) => void) {
    this.#write = write
    this.#bytes = new Uint8Array(256 * 1024 + RECORD_HEADER_BYTES + align8(maxLength))
    this.#view = new DataView(this.#bytes.buffer)
  }

  /** Adds a record of `length` bytes from `bytes[0…]`. */
  add(position: number, linkType: number, micros: number, bytes: Uint8Array, length: number): void {
    const size = RECORD_HEADER_BYTES + align8(length)
    if (this.#used + size > this.#bytes.length) this.flush()
    const at = this.#used
    this.#view.setUint32(at, length, true)
    this.#view.setUint16(at + 4, position, true)
    this.#view.setUint16(at + 6, linkType, true)
    this.#view.setFloat64(at + 8, micros, true)
    this.#bytes.set(length === bytes.length ? bytes : bytes.subarray(0, length), at + RECORD_HEADER_BYTES)
    this.#used = at + size
  }

  /** Writes the collected records. */
  flush(): void {
    if (this.#used === 0) return
    const used = this.#used
    this.#used = 0
    this.#write(this.#bytes.subarray(0, used))
  }
}
