/**
 * Lays one message's map, in the pair's schema, from the head scanner's findings:
 *
 *     request    9 keys: method, target, httpVersion, headers, body, bodyEncoding, bodySize, decoded, wireSize
 *     response   9 keys: status, reason, httpVersion, headers, body, … the same; its own key, `response`, is in front
 *
 * `head` writes everything up to the body's bytes, with a bin32 header whose length is patched once it is known (BODY_LENGTH
 * bytes before the body); the body's bytes follow; `tail` writes the rest.
 */
import type { HeadScanner } from '../http1/head.ts'
import type { Kernel } from '../kernel.ts'
import { ANOMALY_FOLDED } from '../kernel-layout.ts'
import { type Arena, copyWords } from '../memory/arena.ts'
import { fixmap, key, template, uint } from './templates.ts'
import { TextWriter } from './text-writer.ts'

/** Distance from a body's first byte back to its length, a uint32. */
export const BODY_LENGTH = 4

const METHOD = template(fixmap(9), key('method'))
const TARGET = template(key('target'))
const STATUS = template(key('response'), fixmap(9), key('status'), uint(0, 2), key('reason'))
const VERSION = template(key('httpVersion'), key('1.x'), key('headers'))
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
/** Offsets of values: the status, the minor version's digit, the body's size. */
const STATUS_VALUE = STATUS.length - key('reason').length - 2
const VERSION_DIGIT = key('httpVersion').length + 3
const BODY_SIZE_VALUE = key('bodyEncoding').length + key('bin').length + key('bodySize').length + 1

/** Bytes a field takes more than on the wire, at most: array and two long string headers instead of ":" and LF. */
const FIELD_OVERHEAD = 5
/** Bytes of everything else up to the body. */
const HEAD_OVERHEAD = STATUS.length + METHOD.length + TARGET.length + VERSION.length + BODY.length + 3 * 5 + 16

export class MessageWriter {
  readonly #text: TextWriter
  readonly #kernel: Kernel
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #scanner: HeadScanner
  readonly #method: number
  readonly #target: number
  readonly #status: number
  readonly #version: number
  readonly #body: number
  readonly #tail: number

  constructor(arena: Arena, scanner: HeadScanner) {
    this.#text = new TextWriter(arena)
    this.#kernel = arena.kernel
    this.#bytes = arena.bytes
    this.#view = arena.view
    this.#scanner = scanner
    this.#method = arena.addTemplate(METHOD)
    this.#target = arena.addTemplate(TARGET)
    this.#status = arena.addTemplate(STATUS)
    this.#version = arena.addTemplate(VERSION)
    this.#body = arena.addTemplate(BODY)
    this.#tail = arena.addTemplate(TAIL)
  }

  /** Bytes that `head` writes at most. @param wireBytes those of the head on the wire */
  bound(wireBytes: number, nonAscii: boolean): number {
    return (nonAscii ? 2 : 1) * wireBytes + FIELD_OVERHEAD * this.#scanner.fieldCount + HEAD_OVERHEAD
  }

  /**
   * @param nonAscii the head may hold bytes over 127
   * @returns the address after the body's bin header
   */
  head(to: number, isResponse: boolean, nonAscii: boolean): number {
    const scanner = this.#scanner
    const view = this.#view
    let at: number
    if (isResponse) {
      copyWords(view, to, this.#status, STATUS.length)
      view.setUint16(to + STATUS_VALUE, scanner.status)
      at = to + STATUS.length
    } else {
      copyWords(view, to, this.#method, METHOD.length)
      at = this.#text.ascii(to + METHOD.length, scanner.firstStart, scanner.firstEnd)
      copyWords(view, at, this.#target, TARGET.length)
      at += TARGET.length
    }
    at = this.#string(at, scanner.secondStart, scanner.secondEnd, nonAscii)
    copyWords(view, at, this.#version, VERSION.length)
    this.#bytes[at + VERSION_DIGIT] = scanner.minorVersion
    at = this.#fields(at + VERSION.length, nonAscii)
    copyWords(view, at, this.#body, BODY.length)
    return at + BODY.length
  }

  /** What follows the body. @returns the address after it */
  tail(to: number, bodyBytes: number, wireBytes: number): number {
    const view = this.#view
    copyWords(view, to, this.#tail, TAIL.length)
    view.setUint32(to + BODY_SIZE_VALUE, bodyBytes)
    view.setUint32(to + TAIL.length - 4, wireBytes)
    return to + TAIL.length
  }

  /** Where the headers of a laid request are: the address of their array. */
  requestHeaders(request: number): number {
    const text = this.#text
    const target = text.afterString(request + METHOD.length) + TARGET.length
    return text.afterString(target) + VERSION.length
  }

  #fields(to: number, nonAscii: boolean): number {
    const scanner = this.#scanner
    const { fields, fieldCount } = scanner
    const folded = (scanner.anomalies & ANOMALY_FOLDED) !== 0
    let at = this.#text.arrayHeader(to, fieldCount)
    if (!nonAscii && !folded) return this.#kernel.layFields(at, fieldCount)
    for (let i = 0; i < fieldCount * 4; i += 4) {
      this.#bytes[at++] = 0x92
      at = this.#string(at, fields[i], fields[i + 1], nonAscii)
      at = folded
        ? this.#text.folded(at, fields[i + 2], fields[i + 3])
        : this.#string(at, fields[i + 2], fields[i + 3], nonAscii)
    }
    return at
  }

  #string(to: number, start: number, end: number, nonAscii: boolean): number {
    return nonAscii ? this.#text.text(to, start, end) : this.#text.ascii(to, start, end)
  }
}
