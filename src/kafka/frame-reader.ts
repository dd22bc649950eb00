/**
 * Splits a broker's byte stream into frames: a length of four bytes, big-endian, then as many bytes
 * (https://kafka.apache.org/protocol#protocol_common). Each connection has its own reader, so that half a frame of a
 * broken connection is never joined to bytes of the next one. Pure.
 */
import { BadResponseError, TlsResponseError } from './errors.ts'

const LENGTH_BYTES = 4
/** Each response begins with the correlation id of its request. */
const MIN_BODY_BYTES = 4
/** Start of the TLS records with which a TLS port answers plaintext (RFC 8446 §5.1): alert and handshake, version 3. */
const TLS_RECORDS: readonly number[] = [0x1503, 0x1603]

const NOTHING: Buffer = Buffer.alloc(0)

export class FrameReader {
  readonly #maxBytes: number
  /** The first bytes of an incomplete length. */
  #start = NOTHING
  /** The incomplete frame, and how many of its bytes were received; null between frames. */
  #frame: Buffer | null = null
  #filled = 0

  /** @param maxBytes largest frame to accept, and so the most memory that a reader holds */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /**
   * Adds received bytes.
   *
   * @returns the frames that they complete, each with its length in front
   * @throws BadResponseError for an impossible length; the reader must not be used afterwards
   */
  push(chunk: Buffer): Buffer[] {
    const frames: Buffer[] = []
    let rest = this.#start.length === 0 ? chunk : Buffer.concat([this.#start, chunk])
    this.#start = NOTHING
    while (rest.length > 0) {
      if (this.#frame === null) {
        if (rest.length < LENGTH_BYTES) {
          this.#start = rest
          break
        }
        const bytes = this.#readLength(rest)
        if (bytes <= rest.length) {
          frames.push(rest.subarray(0, bytes))
          rest = rest.subarray(bytes)
          continue
        }
        this.#frame = Buffer.allocUnsafeSlow(bytes)
        this.#filled = 0
      }
      rest = this.#fill(this.#frame, rest, frames)
    }
    return frames
  }

  /** @returns what follows the frame */
  #fill(frame: Buffer, bytes: Buffer, frames: Buffer[]): Buffer {
    const copied = bytes.copy(frame, this.#filled)
    this.#filled += copied
    if (this.#filled === frame.length) {
      frames.push(frame)
      this.#frame = null
    }
    return bytes.subarray(copied)
  }

  /** @returns the frame's bytes, its length included */
  #readLength(bytes: Buffer): number {
    const body = bytes.readInt32BE(0)
    if (body >= MIN_BODY_BYTES && body <= this.#maxBytes - LENGTH_BYTES) return LENGTH_BYTES + body
    if (TLS_RECORDS.includes(bytes.readUInt16BE(0))) throw new TlsResponseError()
    throw new BadResponseError(`the broker announces a response of ${body} bytes`)
  }
}
