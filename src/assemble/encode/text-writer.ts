/**
 * MessagePack strings and numbers, laid straight from wire bytes (MessagePack specification, "Formats"), and the way past
 * those that were laid.
 */

import { CR, LF, SPACE, TAB } from '../http1/text.ts'
import type { Arena } from '../memory/arena.ts'

export class TextWriter {
  readonly #arena: Arena

  constructor(arena: Arena) {
    this.#arena = arena
  }

  /** Header of a string of `length` bytes. @returns the address after it */
  stringHeader(to: number, length: number): number {
    const { bytes, view } = this.#arena
    if (length < 32) {
      bytes[to] = 0xa0 | length
      return to + 1
    }
    if (length < 256) {
      bytes[to] = 0xd9
      bytes[to + 1] = length
      return to + 2
    }
    if (length < 65_536) {
      bytes[to] = 0xda
      view.setUint16(to + 1, length)
      return to + 3
    }
    bytes[to] = 0xdb
    view.setUint32(to + 1, length)
    return to + 5
  }

  /** Header of an array of `length` elements. @returns the address after it */
  arrayHeader(to: number, length: number): number {
    const { bytes, view } = this.#arena
    if (length < 16) {
      bytes[to] = 0x90 | length
      return to + 1
    }
    bytes[to] = 0xdc
    if (length < 65_536) {
      view.setUint16(to + 1, length)
      return to + 3
    }
    bytes[to] = 0xdd
    view.setUint32(to + 1, length)
    return to + 5
  }

  /** A string of the bytes [start, end), which are ASCII. @returns the address after it */
  ascii(to: number, start: number, end: number): number {
    const length = end - start
    const at = this.stringHeader(to, length)
    this.#arena.copy(at, start, length)
    return at + length
  }

  /**
   * A string of any wire bytes: valid UTF-8 as it is, else each byte as the character of that code (ISO 8859-1, which
   * header values were before RFC 9110 §5.5), so that nothing is lost and the string is valid.
   */
  text(to: number, start: number, end: number): number {
    const bytes = this.#arena.bytes
    let high = 0
    for (let i = start; i < end; i++) high += bytes[i] >>> 7
    if (high === 0 || isUtf8(bytes, start, end)) return this.ascii(to, start, end)
    let at = this.stringHeader(to, end - start + high)
    for (let i = start; i < end; i++) {
      const c = bytes[i]
      if (c < 128) bytes[at++] = c
      else {
        bytes[at++] = 0xc0 | (c >>> 6)
        bytes[at++] = 0x80 | (c & 63)
      }
    }
    return at
  }

  /** As `text`, for a value with line folds: each becomes one space (RFC 9112 §5.2). Rewrites the value in place. */
  folded(to: number, start: number, end: number): number {
    const bytes = this.#arena.bytes
    let at = start
    for (let i = start; i < end; i++) {
      const c = bytes[i]
      if (c !== CR && c !== LF) {
        bytes[at++] = c
        continue
      }
      while (at > start && (bytes[at - 1] === SPACE || bytes[at - 1] === TAB)) at--
      while (i + 1 < end && isFold(bytes[i + 1])) i++
      bytes[at++] = SPACE
    }
    return this.text(to, start, at)
  }

  /** The address after the string at `at`. */
  afterString(at: number): number {
    const { bytes, view } = this.#arena
    const first = bytes[at]
    if (first < 0xc0) return at + 1 + (first & 31)
    if (first === 0xd9) return at + 2 + bytes[at + 1]
    return first === 0xda ? at + 3 + view.getUint16(at + 1) : at + 5 + view.getUint32(at + 1)
  }

  /** The address of its first byte. */
  afterStringHeader(at: number): number {
    const first = this.#arena.bytes[at]
    return first < 0xc0 ? at + 1 : first === 0xd9 ? at + 2 : first === 0xda ? at + 3 : at + 5
  }

  /** Elements of the array at `at`. */
  arrayLength(at: number): number {
    const { bytes, view } = this.#arena
    const first = bytes[at]
    return first < 0xdc ? first & 15 : first === 0xdc ? view.getUint16(at + 1) : view.getUint32(at + 1)
  }

  /** The address of its first element. */
  afterArrayHeader(at: number): number {
    const first = this.#arena.bytes[at]
    return first < 0xdc ? at + 1 : first === 0xdc ? at + 3 : at + 5
  }

  /** An unsigned integer below 2^32, always as uint32. @returns the address after it */
  uint32(to: number, value: number): number {
    this.#arena.bytes[to] = 0xce
    this.#arena.view.setUint32(to + 1, value)
    return to + 5
  }
}

const isFold = (c: number): boolean => c === CR || c === LF || c === SPACE || c === TAB

/** Well-formed UTF-8 (RFC 3629 §4): no overlong forms, no surrogates, nothing over U+10FFFF. */
function isUtf8(bytes: Uint8Array, start: number, end: number): boolean {
  let i = start
  while (i < end) {
    const c = bytes[i++]
    if (c < 0x80) continue
    const extra = c >= 0xc2 && c <= 0xdf ? 1 : c >= 0xe0 && c <= 0xef ? 2 : c >= 0xf0 && c <= 0xf4 ? 3 : 0
    if (extra === 0 || i + extra > end) return false
    const second = bytes[i]
    if (c === 0xe0 && second < 0xa0) return false
    if (c === 0xed && second > 0x9f) return false
    if (c === 0xf0 && second < 0x90) return false
    if (c === 0xf4 && second > 0x8f) return false
    for (let k = 0; k < extra; k++) if ((bytes[i++] & 0xc0) !== 0x80) return false
  }
  return true
}
