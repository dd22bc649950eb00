/**
 * The part of a file that is in memory: bytes are read to its end and parsed from its beginning. One buffer serves the
 * whole file, so reading allocates nothing; it grows only for a record that does not fit.
 *
 * Thread: the capture worker's. Positions in `bytes` are valid until the next `prepare`.
 */

/** Small enough to stay in a core's cache between reading and parsing, large enough to make system calls rare. */
const WINDOW_BYTES = 512 * 1024
/** With less room than this, the unparsed bytes are moved to the front before the next read. */
const MIN_READ_BYTES = 64 * 1024

export class Window {
  bytes: Uint8Array = new Uint8Array(WINDOW_BYTES)
  view: DataView = new DataView(this.bytes.buffer)
  /** Unparsed bytes are at begin…end. */
  begin = 0
  end = 0
  /** Bytes from `begin` that the parser needs in order to continue. Bounded by the parsers. */
  wanted = 1
  /** File offset of bytes[0]. */
  #origin = 0
  /** The window's own buffer while it shows a borrowed chunk. */
  #own: Uint8Array | null = null

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
    const size = this.bytes.length
    const short = size - this.end < MIN_READ_BYTES || this.begin + this.wanted > size
    if (this.begin > 0 && (short || this.begin === this.end)) {
      this.bytes.copyWithin(0, this.begin, this.end)
      this.#origin += this.begin
      this.end -= this.begin
      this.begin = 0
    }
    if (this.wanted > this.bytes.length || this.end === this.bytes.length) this.#grow()
    return this.bytes.length - this.end
  }

  /** Adds `count` bytes that were read to `end`. */
  filled(count: number): void {
    this.end += count
  }

  /**
   * Shows the next bytes of the file, `chunk` from offset `from` on, without copying them. The window must be empty,
   * and `unborrow` must follow.
   */
  borrow(chunk: Uint8Array, from: number): void {
    const { offset } = this
    this.#own = this.bytes
    this.#show(chunk, from, chunk.length, offset - from)
  }

  /** Copies the unparsed rest of a borrowed chunk to the window's own buffer. */
  unborrow(): void {
    const { bytes, begin, end, offset } = this
    if (this.#own === null) return
    this.#show(this.#own, 0, 0, offset)
    this.#own = null
    while (this.bytes.length < end - begin) this.#grow()
    this.bytes.set(bytes.subarray(begin, end))
    this.end = end - begin
  }

  #show(bytes: Uint8Array, begin: number, end: number, origin: number): void {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.begin = begin
    this.end = end
    this.#origin = origin
  }

  /** Marks `count` of the available bytes as parsed. */
  skip(count: number): void {
    this.begin += count
  }

  #grow(): void {
    let size = this.bytes.length
    do size *= 2
    while (size < this.wanted)
    const bytes = new Uint8Array(size)
    bytes.set(this.bytes.subarray(0, this.end))
    this.bytes = bytes
    this.view = new DataView(bytes.buffer)
  }
}
