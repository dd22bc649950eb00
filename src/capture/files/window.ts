/**
 * The stretch of a file that is in memory: read into at its end, parsed from its beginning. One buffer for a whole
 * file, so reading allocates nothing; it grows only for a record that does not fit.
 *
 * Thread: the capture worker's. Positions in `bytes` are valid until the next `prepare`.
 */

/** Small enough to stay in a core's cache between read and parse, large enough to make system calls rare. */
const WINDOW_BYTES = 512 * 1024
/** Room that is worth a read. */
const MIN_READ_BYTES = 64 * 1024

export class Window {
  bytes: Uint8Array = new Uint8Array(WINDOW_BYTES)
  view: DataView = new DataView(this.bytes.buffer)
  /** Unparsed bytes lie in begin…end. */
  begin = 0
  end = 0
  /** Bytes from `begin` that the parser needs before it can go on. Bounded by the parsers. */
  wanted = 1
  /** File offset of bytes[0]. */
  #origin = 0

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

  /** `count` bytes were read to `end`. */
  filled(count: number): void {
    this.end += count
  }

  /** Lets `count` of the available bytes go. */
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
