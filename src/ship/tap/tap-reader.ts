/**
 * One reader of the tap, and the bounded buffer between the shipper and its socket. When the buffer is full, the newest
 * pairs are not shown: the shipper never waits. How many they were is sent before the next pair.
 *
 * Thread: the shipper's.
 */
import type { Socket } from 'node:net'
import { withResolvers } from '../../async/with-resolvers.ts'
import { COUNT_BYTES, LENGTH_BYTES, PROTOCOL, textFrame, writeCount } from '../../tap/frames.ts'

/** Bytes that wait for a reader beside what its socket holds in the kernel. */
export const READER_BYTES = 4 * 1024 * 1024
/** Pairs are collected in chunks: a write for each pair would cost more than the pair does. */
const CHUNK_BYTES = 64 * 1024
/** A longer frame that does not fit into the rest of a chunk gets memory of its own length. */
const LONG_BYTES = CHUNK_BYTES / 4

/** How long a reader may take to read the rest before its connection is closed. */
const END_MS = 500

/** What a reader needs of its socket. */
export interface ReaderSocket extends Pick<Socket, 'writableLength' | 'destroySoon'> {
  write(bytes: Uint8Array, done?: (error?: Error | null) => void): unknown
  destroy(): unknown
}

export class TapReader {
  readonly #socket: ReaderSocket
  #chunk = Buffer.alloc(0)
  /** What is collected and not written yet: [from, to) of the chunk. Written parts are never filled again. */
  #from = 0
  #to = 0
  /** Pairs that were not shown, and that were not reported to the reader yet. */
  #notShown = 0
  /** Pairs that are collected, and those passed to the socket that it has not passed to the kernel. */
  #collected = 0
  #unsent = 0

  constructor(socket: ReaderSocket) {
    this.#socket = socket
    socket.write(textFrame(PROTOCOL))
  }

  /**
   * Appends `bytes[start … start + length)`, a pair.
   *
   * @returns false if it does not fit, and is counted for the reader
   */
  add(bytes: Uint8Array, start: number, length: number): boolean {
    const countBytes = this.#notShown > 0 ? COUNT_BYTES : 0
    if (this.#pending + countBytes + LENGTH_BYTES + length > READER_BYTES) {
      this.#notShown += 1
      return false
    }
    this.#sendCount()
    const at = this.#reserve(LENGTH_BYTES + length)
    this.#chunk.writeUInt32BE(length, at)
    this.#chunk.set(bytes.subarray(start, start + length), at + LENGTH_BYTES)
    this.#collected += 1
    return true
  }

  /** Passes to the socket what was collected, and the count of what was not shown even if no pair follows. */
  flush(): void {
    if (this.#pending + COUNT_BYTES <= READER_BYTES) this.#sendCount()
    this.#writeCollected()
  }

  /**
   * Sends the rest and the reason, as far as the reader reads on, and closes the connection.
   *
   * @returns pairs that `add` accepted and the reader did not read in time; what the kernel holds for it counts as read
   */
  async end(reason: string): Promise<number> {
    this.flush()
    const sent = withResolvers<void>()
    const timer = setTimeout(sent.resolve, END_MS)
    this.#socket.write(textFrame(reason), () => sent.resolve())
    await sent.promise
    clearTimeout(timer)
    if (this.#unsent === 0) this.#socket.destroySoon()
    else this.drop()
    return this.#unsent
  }

  /** Closes the connection at once. */
  drop(): void {
    this.#socket.destroy()
  }

  get #pending(): number {
    return this.#socket.writableLength + this.#to - this.#from
  }

  #sendCount(): void {
    if (this.#notShown === 0) return
    const at = this.#reserve(COUNT_BYTES)
    writeCount(this.#chunk, at, this.#notShown)
    this.#notShown = 0
  }

  /** @returns where a frame of this many bytes begins in the chunk */
  #reserve(bytes: number): number {
    if (this.#to + bytes > this.#chunk.length) {
      this.#writeCollected()
      this.#chunk = Buffer.allocUnsafeSlow(bytes > LONG_BYTES ? bytes : CHUNK_BYTES)
      this.#from = 0
      this.#to = 0
    }
    const at = this.#to
    this.#to += bytes
    return at
  }

  #writeCollected(): void {
    if (this.#from === this.#to) return
    const pairs = this.#collected
    this.#collected = 0
    this.#unsent += pairs
    this.#socket.write(this.#chunk.subarray(this.#from, this.#to), (error) => {
      if (error == null) this.#unsent -= pairs
    })
    this.#from = this.#to
  }
}
