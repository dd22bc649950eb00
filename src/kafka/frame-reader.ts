/**
 * Cuts what a broker sends into whole frames: a length of four bytes, big-endian, then as many bytes
 * (https://kafka.apache.org/protocol#protocol_common). One reader per connection, so that half a frame of a connection
 * that broke never meets the bytes of its successor. Pure.
 */
import { BadAnswerError } from './errors.ts'

const LENGTH_BYTES = 4
/** Each answer begins with the correlation id of its request. */
const MIN_BODY_BYTES = 4
/** TLS records that a TLS port may answer plain bytes with (RFC 8446 §5.1): alert and handshake, version 3. */
const TLS_RECORDS: readonly number[] = [0x1503, 0x1603]

const NOTHING: Buffer = Buffer.alloc(0)

export class FrameReader {
  readonly #maxBytes: number
  /** The first bytes of a length that is not complete yet. */
  #start = NOTHING
  /** The frame being received, and how much of it is there; null between frames. */
  #frame: Buffer | null = null
  #filled = 0

  /** @param maxBytes largest frame to accept: more than that is never held */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /**
   * Adds what was received.
   *
   * @returns the frames that are complete now, each with its length in front
   * @throws BadAnswerError for a length no answer has; the reader is of no use afterwards
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
    if (TLS_RECORDS.includes(bytes.readUInt16BE(0))) throw new BadAnswerError('the port speaks TLS')
    throw new BadAnswerError(`the broker announces an answer of ${body} bytes`)
  }
}
