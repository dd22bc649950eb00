/**
 * What the cap child writes to its standard output: records, each beginning at a multiple of 8.
 *
 *     0        4          6          8                16
 *     +--------+----------+----------+----------------+------------ … -+
 *     | length | position | linkType |     micros     | bytes, padding |
 *     |  u32   |   u16    |   u16    |      f64       |                |
 *     +--------+----------+----------+----------------+------------ … -+
 *
 * `position` is the interface's place in the source's list. Two link types are none: OPENED once all interfaces are
 * captured, FAILED with a JSON `CapFailure` as bytes, after which the child ends. Host byte order: it never leaves the host.
 */
import { align8 } from '../../ring/layout.ts'

export const RECORD_HEADER_BYTES = 16
export const OPENED = 0xfffe
export const FAILED = 0xffff

/** The message of libpcap, or of the loading of cap. */
export interface CapFailure {
  message: string
}

/** Takes a stream of chunks apart into records. */
export class RecordReader {
  readonly #onRecord: (bytes: Uint8Array, view: DataView, start: number) => void
  #bytes = new Uint8Array(1 << 20)
  #view = new DataView(this.#bytes.buffer)
  #used = 0

  /** @param onRecord called with the memory a record lies in, valid during the call, the record at `start` */
  constructor(onRecord: (bytes: Uint8Array, view: DataView, start: number) => void) {
    this.#onRecord = onRecord
  }

  /** Takes the next chunk, of any size. */
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

  /** A record is at most a snap length, a chunk at most what the pipe delivers at once, which bounds the buffer. */
  #reserve(length: number): void {
    if (this.#used + length <= this.#bytes.length) return
    const larger = new Uint8Array((this.#used + length) * 2)
    larger.set(this.#bytes.subarray(0, this.#used))
    this.#bytes = larger
    this.#view = new DataView(larger.buffer)
  }
}

/** Gathers records and writes them out in large pieces. */
export class RecordWriter {
  readonly #write: (bytes: Uint8Array) => void
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #used = 0

  /** @param maxLength most bytes of a record */
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

  /** Writes what was gathered. */
  flush(): void {
    if (this.#used === 0) return
    const used = this.#used
    this.#used = 0
    this.#write(this.#bytes.subarray(0, used))
  }
}
