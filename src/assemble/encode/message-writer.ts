/**
 * Writes one message's map, as in the pair's schema, from the results of the head scanner:
 *
 *     request    9 keys: method, target, httpVersion, headers, body, bodyEncoding, bodySize, decoded, wireSize
 *     response   9 keys: status, reason, httpVersion, headers, body, … the same; preceded by its key, `response`
 *
 * `head` writes everything up to the body's bytes, with a bin 32 header whose length, BODY_LENGTH bytes before the
 * body, is patched once it is known. The caller adds the body's bytes, and `tail` writes the rest.
 */

import type { HeadScanner } from '../head-scanner/head-scanner.ts'
import { PART_BODY, PART_METHOD, PART_STATUS, PART_TARGET, PART_VERSION, PARTS_BYTES } from '../head-scanner/layout.ts'
import type { MessageHead } from '../http1/message-head.ts'
import { type Arena, copyWords } from '../memory/arena.ts'
import { fixmap, key, template, uint } from './templates.ts'
import { TextReader } from './text-reader.ts'

/** Distance from a body's first byte back to its length, a uint32. */
export const BODY_LENGTH = 4

const METHOD = template(fixmap(9), key('method'))
const TARGET = template(key('target'))
const STATUS = template(key('response'), fixmap(9), key('status'), uint(0, 2), key('reason'))
const VERSION = template(key('httpVersion'), key('1.1'), key('headers'))
const BODY = template(key('body'), [0xc6, 0, 0, 0, 0])
const TAIL = template(
  key('bodyEncoding'),
  key('bin'),
  key('bodySize'),
  uint(0, 4),
  key('decoded'),
  [0xc2],
  key('wireSize'),
  uint(0, 4),
)
/** Offsets of the values that are patched: the status, the version, the size of the body. */
const STATUS_VALUE = STATUS.length - key('reason').length - 2
const VERSION_VALUE = key('httpVersion').length + 1
const BODY_SIZE_VALUE = key('bodyEncoding').length + key('bin').length + key('bodySize').length + 1

/**
 * Growth of a header field over its wire bytes, at most: an array and two long string headers instead of ":" and LF.
 */
const FIELD_OVERHEAD = 5
/** Bytes of everything else before the body, at most. */
const HEAD_OVERHEAD = STATUS.length + METHOD.length + TARGET.length + VERSION.length + BODY.length + 3 * 5 + 16

export class MessageWriter {
  readonly #scanner: HeadScanner
  readonly #view: DataView
  readonly #text: TextReader
  readonly #head: MessageHead
  /** Address of the table of parts (PARTS_BYTES in layout.ts). */
  readonly #parts: number
  readonly #tail: number

  constructor(arena: Arena, head: MessageHead) {
    this.#scanner = arena.headScanner
    this.#view = arena.view
    this.#text = new TextReader(arena)
    this.#head = head
    const parts = new DataView(new ArrayBuffer(PARTS_BYTES))
    const addPart = (at: number, content: Uint8Array, value = 0): void => {
      parts.setUint32(at, arena.addTemplate(content), true)
      parts.setUint32(at + 4, content.length, true)
      parts.setUint32(at + 8, value, true)
    }
    addPart(PART_METHOD, METHOD)
    addPart(PART_TARGET, TARGET)
    addPart(PART_STATUS, STATUS, STATUS_VALUE)
    addPart(PART_VERSION, VERSION, VERSION_VALUE)
    addPart(PART_BODY, BODY)
    this.#parts = arena.addTemplate(new Uint8Array(parts.buffer))
    this.#tail = arena.addTemplate(TAIL)
  }

  /** Upper bound of the bytes that `head` writes. @param wireBytes bytes of the head on the wire */
  bound(wireBytes: number, nonAscii: boolean): number {
    return (nonAscii ? 2 : 1) * wireBytes + FIELD_OVERHEAD * this.#head.fieldCount + HEAD_OVERHEAD
  }

  /** Writes the head that was scanned and digested last. @returns the address after the body's bin header */
  head(to: number, isResponse: boolean): number {
    return this.#scanner.writeHead(to, isResponse ? 1 : 0, this.#parts)
  }

  /** Writes the keys that follow the body. @returns the address after them */
  tail(to: number, bodyBytes: number, wireBytes: number): number {
    const view = this.#view
    copyWords(view, to, this.#tail, TAIL.length)
    view.setUint32(to + BODY_SIZE_VALUE, bodyBytes)
    view.setUint32(to + TAIL.length - 4, wireBytes)
    return to + TAIL.length
  }

  /** The address of the `headers` array of an encoded request. */
  requestHeaders(request: number): number {
    const text = this.#text
    const target = text.afterString(request + METHOD.length) + TARGET.length
    return text.afterString(target) + VERSION.length
  }
}
