/** Reads the bytes of one capture file: detects the format by the first bytes and passes them to its reader. */

import { copyBytes } from '../../ring/copy-bytes.ts'
import type { FormatHost, FormatReader } from './format.ts'
import { describeNonCapture } from './not-a-capture.ts'
import { isPcap, PcapReader } from './pcap.ts'
import { isPcapng, PcapngReader } from './pcapng.ts'
import { ownMemory, Window, type WindowMemory } from './window.ts'

/** Bytes that identify the format. */
const MAGIC_BYTES = 4

/** Converts one file's unzipped bytes to frames. */
export class FileReader {
  /** Callers read bytes into it and then call `advance`. */
  readonly window: Window
  readonly #host: FormatHost
  #reader: FormatReader | null = null
  #notACapture = false

  /** @param memory of the window; default: its own */
  constructor(host: FormatHost, memory: WindowMemory = ownMemory()) {
    this.#host = host
    this.window = new Window(memory)
  }

  /** Copies a chunk to the window, and parses what is complete. */
  push(chunk: Uint8Array): void {
    const { window } = this
    for (let from = 0; from < chunk.length; ) {
      const count = Math.min(window.prepare(), chunk.length - from)
      copyBytes(chunk, from, from + count, window.bytes, window.end)
      window.filled(count)
      from += count
      this.advance()
    }
  }

  /** Parses the complete records in the window. */
  advance(): void {
    if (this.#notACapture) {
      this.window.skip(this.window.available)
      return
    }
    this.#reader ??= this.#choose()
    this.#reader?.read(this.window)
  }

  /** Whether this is not a capture file, which has been reported. The rest need not be read. */
  get isNotACapture(): boolean {
    return this.#notACapture
  }

  /** Ends the file: reports an incomplete rest as damage. */
  end(): void {
    if (this.#notACapture) return
    if (this.#reader !== null) {
      this.#reader.end(this.window)
      return
    }
    const { available } = this.window
    if (available === 0) this.#host.damage(null, 'the file is empty')
    else this.#host.damage(0, `the file is truncated after ${available} bytes`)
  }

  #choose(): FormatReader | null {
    const { window } = this
    window.wanted = MAGIC_BYTES
    if (window.available < MAGIC_BYTES) return null
    if (isPcap(window.view, window.begin)) return new PcapReader(this.#host)
    if (isPcapng(window.view, window.begin)) return new PcapngReader(this.#host)
    this.#notACapture = true
    this.#host.damage(null, describeNonCapture(window.bytes.subarray(window.begin, window.end)))
    window.skip(window.available)
    return null
  }
}
