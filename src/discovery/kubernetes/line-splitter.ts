/** Splits a stream of chunks into lines of bounded length. */

const LINE_FEED = 0x0a

/** Splits bytes at line feeds. An unterminated last line is not reported: the stream was cut within it. */
export class LineSplitter {
  readonly #maxBytes: number
  readonly #onLine: (line: string) => void
  #parts: Buffer[] = []
  #held = 0

  constructor(maxBytes: number, onLine: (line: string) => void) {
    this.#maxBytes = maxBytes
    this.#onLine = onLine
  }

  /** @returns false when a line exceeds the bound; the rest of the stream cannot be used */
  feed(chunk: Buffer): boolean {
    let start = 0
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      if (this.#held + end - start > this.#maxBytes) return false
      this.#finish(chunk.subarray(start, end))
      start = end + 1
    }
    if (start < chunk.length) {
      this.#parts.push(chunk.subarray(start))
      this.#held += chunk.length - start
    }
    return this.#held <= this.#maxBytes
  }

  #finish(last: Buffer): void {
    const line = this.#parts.length === 0 ? last : Buffer.concat([...this.#parts, last])
    this.#parts = []
    this.#held = 0
    if (line.length > 0) this.#onLine(line.toString('utf8'))
  }
}
