/**
 * Copies values from MessagePack to JSON, byte by byte, without making objects. One step per value; each answers
 * whether it found what it is for, and once one has not, what has been written is worthless.
 *
 * What it writes for a value is what JSON.stringify writes for it.
 */
import { isUtf8 } from 'node:buffer'

/** Bytes that must come next, and what stands for them in JSON. */
export interface Token {
  readonly packed: Uint8Array
  readonly json: Uint8Array
}

const NULL = Buffer.from('null')
const TRUE = Buffer.from('true')
const FALSE = Buffer.from('false')
const QUOTE = 0x22
const BACKSLASH = 0x5c
const DIGIT_ZERO = 0x30
const HEX = Buffer.from('0123456789abcdef')

const UNICODE_ESCAPE = 0x75
/** By byte: 0 stands for itself in a JSON string, `u` is written as \u00XX, others as a backslash and that letter. */
const ESCAPES = new Uint8Array(256)
ESCAPES.fill(UNICODE_ESCAPE, 0, 0x20)
for (const [character, letter] of ['\bb', '\tt', '\nn', '\ff', '\rr', '""', '\\\\']) {
  ESCAPES[character!.charCodeAt(0)] = letter!.charCodeAt(0)
}

/** The longest a byte can become (\u00XX), and room for the tokens, whose JSON is longer by quotes, colons and commas. */
const roomFor = (packedBytes: number): number => 6 * packedBytes + 1024

/** As msgpackr writes a BigInt. A negative one reads as a number beyond 2^53, which no integer here may be. */
const INT64 = 0xd3

/** Longest run of decimal digits written at once; 10^8 fits 32 bits. */
const CHUNK_DIGITS = 8
const CHUNK = 10 ** CHUNK_DIGITS

/** @param value an int32, 0 or more */
function digitCount(value: number): number {
  let count = 1
  for (let bound = 10; value >= bound && count < 10; bound *= 10) count++
  return count
}

export class JsonCopier {
  /** What is read, and how far it has been. */
  #in: Uint8Array = new Uint8Array(0)
  #at = 0
  /** What is written, and how far. Grows to what the largest pair needs. */
  #out: Buffer = Buffer.allocUnsafeSlow(64 * 1024)
  #to = 0

  /** Begins a value. What was written before it may be overwritten. */
  start(packed: Uint8Array): void {
    const room = roomFor(packed.length)
    if (this.#out.length < room) this.#out = Buffer.allocUnsafeSlow(room)
    this.#in = packed
    this.#at = 0
    this.#to = 0
  }

  /** @returns what has been written, valid until the next `start`; undefined where there is more to read */
  finish(): Uint8Array | undefined {
    return this.#at === this.#in.length ? this.#out.subarray(0, this.#to) : undefined
  }

  /** Writes ASCII of the caller's own. */
  put(text: Uint8Array): true {
    const out = this.#out
    const to = this.#to
    for (let i = 0; i < text.length; i++) out[to + i] = text[i]!
    this.#to = to + text.length
    return true
  }

  token({ packed, json }: Token): boolean {
    const input = this.#in
    const at = this.#at
    for (let i = 0; i < packed.length; i++) if (input[at + i] !== packed[i]) return false
    this.#at = at + packed.length
    return this.put(json)
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

  /** A whole number from 0 to 2^53 - 1, in any of MessagePack's unsigned forms or as int64. */
  integer(): boolean {
    const type = this.#in[this.#at]!
    if (type < 0x80) return this.#digits(type, 1)
    const isUnsigned = type >= 0xcc && type <= 0xcf
    const bytes = isUnsigned ? 1 << (type - 0xcc) : type === INT64 ? 8 : 0
    return bytes > 0 && this.#digits(this.#uint(this.#at + 1, bytes), 1 + bytes)
  }

  /** Big-endian. NaN beyond the end. */
  #uint(at: number, length: number): number {
    let value = 0
    for (let i = 0; i < length; i++) value = value * 256 + this.#in[at + i]!
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

  /** @param value an int32 */
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

  /** @returns the number of items of an array, -1 where there is none */
  arrayHeader(): number {
    return this.#collectionHeader(0x90, 0xdc)
  }

  /** @returns the number of entries of a map, -1 where there is none */
  mapHeader(): number {
    return this.#collectionHeader(0x80, 0xde)
  }

  #collectionHeader(fixed: number, sixteen: number): number {
    const type = this.#in[this.#at]!
    if ((type & 0xf0) === fixed) {
      this.#at++
      return type & 0x0f
    }
    if (type !== sixteen || this.#at + 3 > this.#in.length) return -1
    const count = this.#uint(this.#at + 1, 2)
    this.#at += 3
    return count
  }

  /** A string, which must be valid UTF-8. */
  text(): boolean {
    const headerBytes = this.#textHeaderBytes()
    return headerBytes > 0 && this.#string(headerBytes, this.#textLength(headerBytes))
  }

  /**
   * Whether a string of ASCII letters and hyphens comes next, in whatever case. Moves nothing.
   *
   * @param lower the string in lower case
   */
  isNext(lower: Uint8Array): boolean {
    const headerBytes = this.#textHeaderBytes()
    if (headerBytes === 0 || this.#textLength(headerBytes) !== lower.length) return false
    const start = this.#at + headerBytes
    for (let i = 0; i < lower.length; i++) if ((this.#in[start + i]! | 0x20) !== lower[i]) return false
    return true
  }

  /** 0 where no string comes next. */
  #textHeaderBytes(): number {
    const type = this.#in[this.#at]!
    if ((type & 0xe0) === 0xa0) return 1
    return type >= 0xd9 && type <= 0xdb ? 1 + (1 << (type - 0xd9)) : 0
  }

  /** In bytes; NaN where the header reaches beyond the end. */
  #textLength(headerBytes: number): number {
    return headerBytes === 1 ? this.#in[this.#at]! & 0x1f : this.#uint(this.#at + 1, headerBytes - 1)
  }

  /**
   * Bytes, as text where they are valid UTF-8, else in base64.
   *
   * @param utf8,base64 ASCII to put after it, which tells them apart
   */
  bytes(utf8: Uint8Array, base64: Uint8Array): boolean {
    const type = this.#in[this.#at]!
    if (type < 0xc4 || type > 0xc6) return false
    const lengthBytes = 1 << (type - 0xc4)
    const length = this.#uint(this.#at + 1, lengthBytes)
    if (this.#string(1 + lengthBytes, length)) return this.put(utf8)
    const start = this.#at + 1 + lengthBytes
    if (!(start + length <= this.#in.length)) return false
    const encoded = Buffer.from(this.#in.buffer, this.#in.byteOffset + start, length).toString('base64')
    this.#to += this.#out.write(`"${encoded}"`, this.#to, 'latin1')
    this.#at = start + length
    return this.put(base64)
  }

  /** @returns false, having moved nothing, where the string reaches beyond the end or is not valid UTF-8 */
  #string(headerBytes: number, length: number): boolean {
    const start = this.#at + headerBytes
    const end = start + length
    if (!(end <= this.#in.length)) return false
    const to = this.#escape(start, end)
    if (to < 0) return false
    this.#to = to
    this.#at = end
    return true
  }

  /** Writes [start, end) as a JSON string. @returns where it ends; -1 where the bytes are not valid UTF-8 */
  #escape(start: number, end: number): number {
    const input = this.#in
    const out = this.#out
    let to = this.#to
    let seen = 0
    out[to++] = QUOTE
    for (let i = start; i < end; i++) {
      const byte = input[i]!
      seen |= byte
      const letter = ESCAPES[byte]!
      if (letter === 0) {
        out[to++] = byte
        continue
      }
      out[to++] = BACKSLASH
      out[to++] = letter
      if (letter !== UNICODE_ESCAPE) continue
      out[to++] = DIGIT_ZERO
      out[to++] = DIGIT_ZERO
      out[to++] = HEX[byte >> 4]!
      out[to++] = HEX[byte & 15]!
    }
    out[to++] = QUOTE
    return seen < 0x80 || isUtf8(input.subarray(start, end)) ? to : -1
  }
}
