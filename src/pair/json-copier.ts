/**
 * Copies values from MessagePack to JSON byte by byte, without creating objects. Each method copies one value and
 * returns false if the input holds something else; the output is then invalid and must be discarded.
 *
 * The JSON of each value is the same as JSON.stringify writes.
 */
import { isUtf8 } from 'node:buffer'

/** Input bytes that must come next, and their JSON. Both in words of four bytes, the last one padded with zeros. */
export interface Token {
  readonly packed: Int32Array
  readonly packedLength: number
  /** Mask of the significant bits in the last word of `packed`. */
  readonly lastMask: number
  readonly json: Int32Array
  readonly jsonLength: number
}

function words(bytes: Uint8Array): Int32Array {
  const filled = new Uint8Array(Math.ceil(bytes.length / 4) * 4)
  filled.set(bytes)
  const view = new DataView(filled.buffer)
  return Int32Array.from({ length: filled.length / 4 }, (_, i) => view.getInt32(i * 4, true))
}

/**
 * Creates a token.
 *
 * @param packed  at least one byte
 */
export function makeToken(packed: readonly number[], json: string): Token {
  const lastBytes = packed.length % 4
  return {
    packed: words(Uint8Array.from(packed)),
    packedLength: packed.length,
    lastMask: lastBytes === 0 ? -1 : (1 << (lastBytes * 8)) - 1,
    json: words(Buffer.from(json)),
    jsonLength: json.length,
  }
}

const NULL = Buffer.from('null')
const TRUE = Buffer.from('true')
const FALSE = Buffer.from('false')
const QUOTE = 0x22
const BACKSLASH = 0x5c
const DIGIT_ZERO = 0x30
const HEX = Buffer.from('0123456789abcdef')

const UNICODE_ESCAPE = 0x75
/** How a byte is written in a JSON string: 0 as itself, `u` as \u00XX, any other letter after a backslash. */
const ESCAPES = new Uint8Array(256)
ESCAPES.fill(UNICODE_ESCAPE, 0, 0x20)
for (const [character, letter] of ['\bb', '\tt', '\nn', '\ff', '\rr', '""', '\\\\']) {
  ESCAPES[character.charCodeAt(0)] = letter.charCodeAt(0)
}

/** A byte becomes at most six (\u00XX); the rest is for quotes, colons and commas of the tokens. */
const roomFor = (packedBytes: number): number => 6 * packedBytes + 1024

/** A token may be compared up to this many bytes past the end of the input. */
const WORD_SLACK = 64
const FIRST_CAPACITY = 16 * 1024

/** msgpackr writes a BigInt so. A negative one reads as a number above 2^53, which `integer` rejects. */
const INT64 = 0xd3

/** Digits written at once: 10^8 fits into 32 bits. */
const CHUNK_DIGITS = 8
const CHUNK = 10 ** CHUNK_DIGITS

/** @param value  an int32, 0 or more */
function digitCount(value: number): number {
  let count = 1
  for (let bound = 10; value >= bound && count < 10; bound *= 10) count++
  return count
}

/** Copies one document at a time: `start`, a call per value, then `finish`. Reuse the instance for the next one. */
export class JsonCopier {
  /** A copy of the input, so that whole words can be read at its end. Stale bytes follow it. */
  #in: Uint8Array = new Uint8Array(0)
  #inView = new DataView(new ArrayBuffer(0))
  #length = 0
  /** Read position. May pass the end of the input into stale bytes; `finish` detects that. */
  #at = 0
  /** The output and its write position `#to`. */
  #out: Buffer = Buffer.alloc(0)
  #outView = new DataView(new ArrayBuffer(0))
  #to = 0

  /** Starts a document and invalidates the previous output. Buffers grow to what the largest document needs. */
  start(packed: Uint8Array): void {
    if (this.#in.length < packed.length + WORD_SLACK) {
      const capacity = Math.max(FIRST_CAPACITY, 2 ** Math.ceil(Math.log2(packed.length + WORD_SLACK)))
      const room = roomFor(capacity)
      this.#inView = new DataView(new ArrayBuffer(capacity))
      this.#in = new Uint8Array(this.#inView.buffer)
      this.#outView = new DataView(new ArrayBuffer(room))
      this.#out = Buffer.from(this.#outView.buffer)
    }
    this.#in.set(packed)
    this.#length = packed.length
    this.#at = 0
    this.#to = 0
  }

  /** @returns the output, valid until the next `start`; undefined if reading did not stop exactly at the input's end */
  finish(): Uint8Array | undefined {
    return this.#at === this.#length ? this.#out.subarray(0, this.#to) : undefined
  }

  /** Writes the caller's ASCII. */
  put(text: Uint8Array): true {
    const out = this.#out
    const to = this.#to
    for (let i = 0; i < text.length; i++) out[to + i] = text[i]
    this.#to = to + text.length
    return true
  }

  /** Compares and copies words of four bytes: keys are half of a small pair, and words make them cheap. */
  token(token: Token): boolean {
    if (this.#at >= this.#length) return false
    const { packed, json } = token
    const [input, out] = [this.#inView, this.#outView]
    const [at, to] = [this.#at, this.#to]
    const last = packed.length - 1
    let difference = (input.getInt32(at + last * 4, true) & token.lastMask) ^ packed[last]
    for (let i = 0; i < last; i++) difference |= input.getInt32(at + i * 4, true) ^ packed[i]
    if (difference !== 0) return false
    for (let i = 0; i < json.length; i++) out.setInt32(to + i * 4, json[i], true)
    this.#at = at + token.packedLength
    this.#to = to + token.jsonLength
    return true
  }

  nil(): boolean {
    return this.#constant(0xc0, NULL)
  }

  boolean(): boolean {
    return this.#constant(0xc2, FALSE) || this.#constant(0xc3, TRUE)
  }

  #constant(byte: number, json: Uint8Array): boolean {
    if (this.#in[this.#at] !== byte) return false
    this.#at++
    return this.put(json)
  }

  /** Copies an integer from 0 to 2^53 - 1 in any unsigned form of MessagePack or as int64. */
  integer(): boolean {
    const type = this.#in[this.#at]
    if (type < 0x80) return this.#digits(type, 1)
    const isUnsigned = type >= 0xcc && type <= 0xcf
    const bytes = isUnsigned ? 1 << (type - 0xcc) : type === INT64 ? 8 : 0
    return bytes > 0 && this.#digits(this.#uint(this.#at + 1, bytes), 1 + bytes)
  }

  /** Reads a big-endian integer. Arbitrary, possibly NaN, past the end of the input. */
  #uint(at: number, length: number): number {
    let value = 0
    for (let i = 0; i < length; i++) value = value * 256 + this.#in[at + i]
    return value
  }

  #digits(value: number, packedBytes: number): boolean {
    if (!Number.isSafeInteger(value)) return false
    this.#at += packedBytes
    if (value < CHUNK) {
      this.#decimal(value | 0, digitCount(value | 0))
      return true
    }
    const high = Math.floor(value / CHUNK)
    this.#decimal(high | 0, digitCount(high | 0))
    this.#decimal((value - high * CHUNK) | 0, CHUNK_DIGITS)
    return true
  }

  /** @param value  an int32 */
  #decimal(value: number, digits: number): void {
    const out = this.#out
    const end = this.#to + digits
    let rest = value
    for (let i = end - 1; i >= end - digits; i--) {
      const next = (rest / 10) | 0
      out[i] = DIGIT_ZERO + rest - next * 10
      rest = next
    }
    this.#to = end
  }

  /** @returns the number of items of an array; -1 if the next value is not an array */
  arrayHeader(): number {
    return this.#collectionHeader(0x90, 0xdc)
  }

  /** @returns the number of entries of a map; -1 if the next value is not a map */
  mapHeader(): number {
    return this.#collectionHeader(0x80, 0xde)
  }

  #collectionHeader(fixed: number, sixteen: number): number {
    const type = this.#in[this.#at]
    if ((type & 0xf0) === fixed) {
      this.#at++
      return type & 0x0f
    }
    if (type !== sixteen || this.#at + 3 > this.#length) return -1
    const count = this.#uint(this.#at + 1, 2)
    this.#at += 3
    return count
  }

  /** Copies a string, which must be valid UTF-8. */
  text(): boolean {
    const headerBytes = this.#textHeaderBytes()
    return headerBytes > 0 && this.#string(headerBytes, this.#textLength(headerBytes))
  }

  /**
   * Whether the next value is this string, compared without case. Consumes nothing.
   *
   * @param lower  ASCII letters and hyphens in lower case
   */
  isNext(lower: Uint8Array): boolean {
    const headerBytes = this.#textHeaderBytes()
    if (headerBytes === 0 || this.#textLength(headerBytes) !== lower.length) return false
    const start = this.#at + headerBytes
    for (let i = 0; i < lower.length; i++) if ((this.#in[start + i] | 0x20) !== lower[i]) return false
    return true
  }

  /** 0 if the next value is not a string. */
  #textHeaderBytes(): number {
    const type = this.#in[this.#at]
    if ((type & 0xe0) === 0xa0) return 1
    return type >= 0xd9 && type <= 0xdb ? 1 + (1 << (type - 0xd9)) : 0
  }

  /** Bytes of the string. Arbitrary, possibly NaN, if its header crosses the end of the input. */
  #textLength(headerBytes: number): number {
    return headerBytes === 1 ? this.#in[this.#at] & 0x1f : this.#uint(this.#at + 1, headerBytes - 1)
  }

  /**
   * Copies bytes: as text if they are valid UTF-8, else in base64.
   *
   * @param utf8,base64  ASCII to write after the text or the base64
   */
  bytes(utf8: Uint8Array, base64: Uint8Array): boolean {
    const type = this.#in[this.#at]
    if (type < 0xc4 || type > 0xc6) return false
    const lengthBytes = 1 << (type - 0xc4)
    const length = this.#uint(this.#at + 1, lengthBytes)
    if (this.#string(1 + lengthBytes, length)) return this.put(utf8)
    const start = this.#at + 1 + lengthBytes
    if (!(start + length <= this.#length)) return false
    const encoded = Buffer.from(this.#in.buffer, start, length).toString('base64')
    this.#to += this.#out.write(`"${encoded}"`, this.#to, 'latin1')
    this.#at = start + length
    return this.put(base64)
  }

  /** @returns false, with nothing consumed, if the string crosses the input's end or is not valid UTF-8 */
  #string(headerBytes: number, length: number): boolean {
    const start = this.#at + headerBytes
    const end = start + length
    if (!(end <= this.#length)) return false
    const to = this.#escape(start, end)
    if (to < 0) return false
    this.#to = to
    this.#at = end
    return true
  }

  /** Writes [start, end) as a JSON string. @returns its end in the output; -1 if the bytes are not valid UTF-8 */
  #escape(start: number, end: number): number {
    const input = this.#in
    const out = this.#out
    let to = this.#to
    let seen = 0
    out[to++] = QUOTE
    for (let i = start; i < end; i++) {
      const byte = input[i]
      seen |= byte
      const letter = ESCAPES[byte]
      if (letter === 0) {
        out[to++] = byte
        continue
      }
      out[to++] = BACKSLASH
      out[to++] = letter
      if (letter !== UNICODE_ESCAPE) continue
      out[to++] = DIGIT_ZERO
      out[to++] = DIGIT_ZERO
      out[to++] = HEX[byte >> 4]
      out[to++] = HEX[byte & 15]
    }
    out[to++] = QUOTE
    return seen < 0x80 || isUtf8(input.subarray(start, end)) ? to : -1
  }
}
