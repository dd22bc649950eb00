/**
 * What the agent's tap sends to a reader: MessagePack values, each behind its length in bytes, a big-endian uint32.
 *
 *     text      the first frame is PROTOCOL; a later text is the reason why the agent closes the connection
 *     map       a pair, as in a file or a Kafka value
 *     uint32    pairs before the next frame that did not fit into the reader's buffer
 *
 * A reader sends nothing. The first byte of a value shows its type, so that a pair is never unpacked to find out.
 */

/** The first text. Its version changes when an older reader could not read the rest. */
export const PROTOCOL = 'interceptor.tap/1'

/** Bytes of a frame's length. */
export const LENGTH_BYTES = 4
/** Bytes of a frame with a count. */
export const COUNT_BYTES = LENGTH_BYTES + 5

/** A length above this is no frame: the largest pair that an agent can be configured to keep, with its names. */
const MOST_BYTES = 1024 * 1024 * 1024

/** MessagePack's first bytes. */
const STR8 = 0xd9
const UINT32 = 0xce
const isFixMap = (byte: number): boolean => byte >= 0x80 && byte <= 0x8f
const isFixText = (byte: number): boolean => byte >= 0xa0 && byte <= 0xbf
const MAP16 = 0xde
const MAP32 = 0xdf

/** A frame, as a reader sees it. */
export type Frame =
  | { readonly kind: 'pair'; readonly bytes: Uint8Array }
  | { readonly kind: 'notShown'; readonly pairs: number }
  | { readonly kind: 'text'; readonly text: string }

/** @param text at most 255 bytes of ASCII */
export function textFrame(text: string): Buffer {
  const frame = Buffer.alloc(LENGTH_BYTES + 2 + text.length)
  frame.writeUInt32BE(2 + text.length)
  frame[LENGTH_BYTES] = STR8
  frame[LENGTH_BYTES + 1] = text.length
  frame.write(text, LENGTH_BYTES + 2, 'latin1')
  return frame
}

/** Writes a count to COUNT_BYTES of a buffer. @param pairs larger counts are sent as 2^32 − 1 */
export function writeCount(buffer: Buffer, at: number, pairs: number): void {
  buffer.writeUInt32BE(COUNT_BYTES - LENGTH_BYTES, at)
  buffer[at + LENGTH_BYTES] = UINT32
  buffer.writeUInt32BE(Math.min(pairs, 0xffff_ffff), at + LENGTH_BYTES + 1)
}

/** Divides what arrives from a tap into frames. */
export class TapFrames {
  #parts: Buffer[] = []
  #bytes = 0

  /** @param chunk stays as it is until its frames are processed */
  push(chunk: Buffer): void {
    this.#parts.push(chunk)
    this.#bytes += chunk.length
  }

  /**
   * The next whole frame.
   *
   * @returns null until more has arrived; an Error if the bytes are not those of a tap
   */
  next(): Frame | Error | null {
    if (this.#bytes < LENGTH_BYTES) return null
    if (this.#parts[0].length < LENGTH_BYTES) this.#join()
    const length = this.#parts[0].readUInt32BE()
    if (length === 0 || length > MOST_BYTES) return new Error('the length of a frame is wrong')
    if (this.#bytes < LENGTH_BYTES + length) return null
    // Only now: joining for each chunk of a long pair would copy it many times.
    if (this.#parts[0].length < LENGTH_BYTES + length) this.#join()
    const [first] = this.#parts
    const value = first.subarray(LENGTH_BYTES, LENGTH_BYTES + length)
    this.#parts[0] = first.subarray(LENGTH_BYTES + length)
    this.#bytes -= LENGTH_BYTES + length
    if (this.#parts[0].length === 0) this.#parts.shift()
    return frameOf(value)
  }

  #join(): void {
    this.#parts = [Buffer.concat(this.#parts)]
  }
}

function frameOf(value: Buffer): Frame | Error {
  const [type] = value
  if (isFixMap(type) || type === MAP16 || type === MAP32) return { kind: 'pair', bytes: value }
  if (type === UINT32 && value.length === COUNT_BYTES - LENGTH_BYTES) {
    return { kind: 'notShown', pairs: value.readUInt32BE(1) }
  }
  if (type === STR8) return { kind: 'text', text: value.toString('utf8', 2) }
  if (isFixText(type)) return { kind: 'text', text: value.toString('utf8', 1) }
  return new Error('a frame has an unknown type')
}
