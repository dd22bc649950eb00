/**
 * Lays one message's map, in the pair's schema, from the head scanner's findings:
 *
 *     request    9 keys: method, target, httpVersion, headers, body, bodyEncoding, bodySize, decoded, wireSize
 *     response   9 keys: status, reason, httpVersion, headers, body, … the same
 *
 * `head` writes everything up to the body's bytes, with a bin32 header whose length is patched once it is known (BODY_LENGTH
 * bytes before the body); the body's bytes follow; `tail` writes the rest.
 */
import type { HeadScanner } from '../http1/head.ts'
import { ANOMALY_FOLDED } from '../http1/head.ts'
import type { Arena } from '../memory/arena.ts'
import { fixmap, key, template, uint } from './templates.ts'
import { TextWriter } from './text-writer.ts'

/** Distance from a body's first byte back to its length, a uint32. */
export const BODY_LENGTH = 4

export class MessageWriter {
  readonly text: TextWriter
  readonly #arena: Arena
  readonly #scanner: HeadScanner
  readonly #method: Template
  readonly #target: Template
  readonly #status: Template
  readonly #reason: Template
  readonly #version: Template
  readonly #body: Template
  readonly #tail: Template

  constructor(arena: Arena, scanner: HeadScanner) {
    this.text = new TextWriter(arena)
    this.#arena = arena
    this.#scanner = scanner
    const keep = (content: Uint8Array): Template => ({ at: arena.addTemplate(content), length: content.length })
    this.#method = keep(template(fixmap(9), key('method')))
    this.#target = keep(template(key('target')))
    this.#status = keep(template(fixmap(9), key('status'), uint(0, 2)))
    this.#reason = keep(template(key('reason')))
    this.#version = keep(template(key('httpVersion'), key('1.x'), key('headers')))
    this.#body = keep(template(key('body'), [0xc6, 0, 0, 0, 0]))
    this.#tail = keep(
      template(
        key('bodyEncoding'),
        key('bin'),
        key('bodySize'),
        uint(0, 4),
        key('decoded'),
        [0xc2],
        key('wireSize'),
        uint(0, 4),
      ),
    )
  }

  /**
   * @param nonAscii the head may hold bytes over 127
   * @returns the address after the body's bin header
   */
  head(to: number, isResponse: boolean, nonAscii: boolean): number {
    const scanner = this.#scanner
    const arena = this.#arena
    let at: number
    if (isResponse) {
      at = this.#put(this.#status, to)
      arena.view.setUint16(at - 2, scanner.status)
      at = this.#put(this.#reason, at)
    } else {
      at = this.#put(this.#method, to)
      at = this.text.ascii(at, scanner.firstStart, scanner.firstEnd)
      at = this.#put(this.#target, at)
    }
    at = this.#string(at, scanner.secondStart, scanner.secondEnd, nonAscii)
    const version = at
    at = this.#put(this.#version, at)
    arena.bytes[version + VERSION_DIGIT] = scanner.minorVersion
    at = this.#fields(at, nonAscii)
    return this.#put(this.#body, at)
  }

  /** What follows the body. @returns the address after it */
  tail(to: number, bodyBytes: number, wireBytes: number): number {
    const at = this.#put(this.#tail, to)
    this.#arena.view.setUint32(to + TAIL_BODY_SIZE, bodyBytes)
    this.#arena.view.setUint32(at - 4, wireBytes)
    return at
  }

  #fields(to: number, nonAscii: boolean): number {
    const scanner = this.#scanner
    const { bytes } = this.#arena
    const fields = scanner.fields
    const end = scanner.fieldCount * 4
    const folded = (scanner.anomalies & ANOMALY_FOLDED) !== 0
    let at = this.text.arrayHeader(to, scanner.fieldCount)
    if (!nonAscii && !folded) return this.#plainFields(at, fields, end)
    for (let i = 0; i < end; i += 4) {
      bytes[at++] = 0x92
      at = this.#string(at, fields[i], fields[i + 1], nonAscii)
      at = folded
        ? this.text.folded(at, fields[i + 2], fields[i + 3])
        : this.#string(at, fields[i + 2], fields[i + 3], nonAscii)
    }
    return at
  }

  /** Nearly every head: ASCII without folds. Names and values are copied here, where the loops need no calls. */
  #plainFields(to: number, fields: Int32Array, end: number): number {
    const { bytes, view } = this.#arena
    let at = to
    for (let i = 0; i < end; i += 2) {
      const start = fields[i]
      const length = fields[i + 1] - start
      if ((i & 2) === 0) bytes[at++] = 0x92
      if (length > SHORT_BYTES) {
        at = this.text.ascii(at, start, start + length)
        continue
      }
      if (length < 32) bytes[at++] = 0xa0 | length
      else {
        bytes[at++] = 0xd9
        bytes[at++] = length
      }
      for (let k = 0; k < length; k += 8) {
        view.setInt32(at + k, view.getInt32(start + k, true), true)
        view.setInt32(at + k + 4, view.getInt32(start + k + 4, true), true)
      }
      at += length
    }
    return at
  }

  #string(to: number, start: number, end: number, nonAscii: boolean): number {
    return nonAscii ? this.text.text(to, start, end) : this.text.ascii(to, start, end)
  }

  #put(template: Template, to: number): number {
    this.#arena.copy(to, template.at, template.length)
    return to + template.length
  }
}

/** Up to here a loop over words beats a call of `copyWithin` (see Arena). */
const SHORT_BYTES = 64

interface Template {
  at: number
  length: number
}

/** Offset of the minor version's digit in the version template: key, string header, "1.". */
const VERSION_DIGIT = key('httpVersion').length + 3
/** Offset of the body size's value in the tail template. */
const TAIL_BODY_SIZE = key('bodyEncoding').length + key('bin').length + key('bodySize').length + 1
