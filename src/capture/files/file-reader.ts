/** Reads one capture file's bytes, whatever its format: looks at the first bytes and hands on to the right reader. */

import { describeForeign } from './foreign.ts'
import type { FormatHost, FormatReader } from './format.ts'
import { isPcap, PcapReader } from './pcap.ts'
import { isPcapng, PcapngReader } from './pcapng.ts'
import { Window } from './window.ts'

/** Bytes that identify the format. */
const MAGIC_BYTES = 4

/** The push machine for one file (unzipped bytes in, frames out). */
export class FileReader {
  /** Read into it, then call `advance`. */
  readonly window = new Window()
  readonly #host: FormatHost
  #reader: FormatReader | null = null
  #foreign = false

  constructor(host: FormatHost) {
    this.#host = host
  }

  /**
   * Takes what is whole: the record that the chunk before has cut is completed in the window, the others are read where
   * they lie, and what the chunk cuts is kept. Frames are copied to where they agree with their source modulo 8, which a
   * chunk that begins elsewhere does not allow: it is copied in.
   */
  push(chunk: Uint8Array): void {
    const { window } = this
    const lendable = (chunk.byteOffset & 7) === 0
    let from = 0
    while (from < chunk.length) {
      if (lendable && window.available === 0) {
        window.lend(chunk, from)
        this.advance()
        window.takeBack()
        return
      }
      const wanted = lendable ? Math.max(1, window.wanted - window.available) : chunk.length
      const count = Math.min(window.prepare(), wanted, chunk.length - from)
      window.bytes.set(chunk.subarray(from, from + count), window.end)
      window.filled(count)
      from += count
      this.advance()
    }
  }

  /** Takes what is whole in the window. */
  advance(): void {
    if (this.#foreign) {
      this.window.skip(this.window.available)
      return
    }
    this.#reader ??= this.#choose()
    this.#reader?.read(this.window)
  }

  /** Whether the bytes are no capture file, which has been reported: reading on is of no use. */
  get isForeign(): boolean {
    return this.#foreign
  }

  /** The file has ended: reports what is left over as damage. */
  end(): void {
    if (this.#foreign) return
    if (this.#reader !== null) {
      this.#reader.end(this.window)
      return
    }
    const { available } = this.window
    this.#host.damage(0, available === 0 ? 'the file is empty' : `the file is cut short after ${available} bytes`)
  }

  #choose(): FormatReader | null {
    const { window } = this
    window.wanted = MAGIC_BYTES
    if (window.available < MAGIC_BYTES) return null
    if (isPcap(window.view, window.begin)) return new PcapReader(this.#host)
    if (isPcapng(window.view, window.begin)) return new PcapngReader(this.#host)
    this.#foreign = true
    this.#host.damage(0, describeForeign(window.bytes.subarray(window.begin, window.end)))
    window.skip(window.available)
    return null
  }
}
