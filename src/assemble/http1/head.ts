/**
 * Scans a message head in place: the start line, where each field's name and value lie, and what decides the framing
 * (RFC 9112). Nothing is copied and nothing is made; the results are this object's fields until the next scan.
 *
 * As lenient as the servers and clients in use: bare LF (RFC 9112 §2.2), spaces around values and before the colon,
 * obs-fold (§5.2), lines that are no field (kept as malformed). What makes the framing unknowable is reported, not guessed.
 */

import type { HeadRules } from '../filter.ts'
import type { Arena } from '../memory/arena.ts'
import { Caseless, COLON, COMMA, CR, findColonOrLf, findLf, LF, SEMICOLON, SPACE, TAB, TOKEN } from './text.ts'

/** Results of a scan. */
export const HEAD_COMPLETE = 0
/** The bytes so far are a plausible beginning of a head. */
export const HEAD_INCOMPLETE = 1
export const HEAD_INVALID = 2

export const METHOD_OTHER = 0
export const METHOD_HEAD = 1
export const METHOD_CONNECT = 2

/** `contentLength` when there is none, and when fields contradict each other or are no number. */
export const LENGTH_ABSENT = -1
export const LENGTH_INVALID = -2

export const CODING_NONE = 0
/** `chunked` is the final transfer coding. */
export const CODING_CHUNKED = 1
/** Transfer codings, of which `chunked` is not the last. */
export const CODING_OTHER = 2

/** Anomalies of a head, as bits. */
export const ANOMALY_FOLDED = 1
export const ANOMALY_MALFORMED_FIELD = 2
export const ANOMALY_LENGTH_IGNORED = 4

const LONGEST_METHOD = 32
const HTTP_WORD = 0x50545448 // "HTTP"
const SLASH_ONE = 0x2e312f // "/1."
const CONTENT_LENGTH = new Caseless('content-length')
const CONTENT_TYPE = new Caseless('content-type')
const TRANSFER_ENCODING = new Caseless('transfer-encoding')
const USER_AGENT = new Caseless('user-agent')
const HOST = new Caseless('host')
/** Longest DNS name with a port. */
const LONGEST_HOST = 260
/** The lengths of those names, each at its place modulo 32: nearly all other names are told by it. */
const MEANINGFUL_LENGTHS: Uint8Array = (() => {
  const table = new Uint8Array(32)
  for (const name of [CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING, USER_AGENT])
    table[name.length & 31] = name.length
  return table
})()
const CHUNKED = new Caseless('chunked')
const IDENTITY = new Caseless('identity')

export class HeadScanner {
  /** End of the head, after the empty line. */
  end = 0
  /** End of the start line with its line ending: fields begin here. */
  startLineEnd = 0
  method = METHOD_OTHER
  /** Request line parts; for responses `first…` is the status code's and `second…` the reason's. */
  firstStart = 0
  firstEnd = 0
  secondStart = 0
  secondEnd = 0
  /** The minor version's digit, ASCII. */
  minorVersion = 0
  status = 0
  /** Four addresses each: name start and end, value start and end. */
  fields = new Int32Array(4 * 256)
  fieldCount = 0
  contentLength = LENGTH_ABSENT
  coding = CODING_NONE
  /** A media type of the configured list is among the Content-Type fields. */
  contentTypeListed = false
  /** Number of the first head rule that lets this request go, 0 when none does. */
  rule = 0
  anomalies = 0
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #rules: HeadRules

  constructor(arena: Arena, rules: HeadRules) {
    this.#bytes = arena.bytes
    this.#view = arena.view
    this.#rules = rules
  }

  /**
   * Scans the head that begins at `at`.
   *
   * @returns HEAD_COMPLETE with every field set; else only `startLineEnd` and `fieldCount` mean something: how far the
   *   head was plausible (startLineEnd 0 while the start line is incomplete)
   */
  scan(at: number, end: number, isResponse: boolean): number {
    this.startLineEnd = 0
    this.fieldCount = 0
    const view = this.#view
    const eol = findLf(view, at, end)
    if (eol < 0) return this.#plausible(at, end, isResponse) ? HEAD_INCOMPLETE : HEAD_INVALID
    this.#reset()
    const lineEnd = this.#trimEnd(at, eol)
    if (!(isResponse ? this.#statusLine(at, lineEnd) : this.#requestLine(at, lineEnd))) return HEAD_INVALID
    this.startLineEnd = eol + 1
    return this.#fieldLines(eol + 1, end, isResponse)
  }

  /**
   * Whether a message provably begins at `at`, by more than its first bytes: a whole start line, and a whole field unless
   * the segment ends with that line. Lines that look alike occur inside bodies.
   */
  begins(at: number, end: number, isResponse: boolean): boolean {
    const result = this.scan(at, end, isResponse)
    if (result !== HEAD_INCOMPLETE) return result === HEAD_COMPLETE
    return this.fieldCount > 0 || this.startLineEnd === end
  }

  /** Value of the first Host field; empty where there is none. Makes a string: not for every message. */
  hostField(): string {
    for (let i = 0; i < this.fieldCount * 4; i += 4) {
      const [name = 0, nameEnd = 0, value = 0, valueEnd = 0] = this.fields.subarray(i, i + 4)
      if (nameEnd - name !== HOST.length || !HOST.matches(this.#view, name)) continue
      return String.fromCharCode(...this.#bytes.subarray(value, Math.min(valueEnd, value + LONGEST_HOST)))
    }
    return ''
  }

  #reset(): void {
    this.method = METHOD_OTHER
    this.status = 0
    this.contentLength = LENGTH_ABSENT
    this.coding = CODING_NONE
    this.contentTypeListed = false
    this.rule = 0
    this.anomalies = 0
  }

  /** `end` without the spaces, tabs and CR before it. */
  #trimEnd(start: number, end: number): number {
    const bytes = this.#bytes
    let at = end
    while (at > start && isLineSpace(bytes[at - 1])) at--
    return at
  }

  /** Whether a start line may begin like this; the LF is yet to come. */
  #plausible(at: number, end: number, isResponse: boolean): boolean {
    const bytes = this.#bytes
    if (isResponse) {
      const known = 'HTTP/1.'
      for (let i = 0; i < known.length && at + i < end; i++) if (bytes[at + i] !== known.charCodeAt(i)) return false
      return end - at < 8 || isDigit(bytes[at + 7])
    }
    for (let i = at; i < end && i <= at + LONGEST_METHOD; i++) {
      const c = bytes[i]
      if (c === SPACE) return i > at
      if (TOKEN[c] === 0) return false
    }
    return end - at <= LONGEST_METHOD
  }

  /** method SP request-target SP HTTP-version (RFC 9112 §3) */
  #requestLine(at: number, end: number): boolean {
    const bytes = this.#bytes
    const view = this.#view
    let i = at
    while (i < end && TOKEN[bytes[i]] === 1) i++
    if (i === at || i - at > LONGEST_METHOD || bytes[i] !== SPACE) return false
    this.firstStart = at
    this.firstEnd = i
    if (end - i < 11 || !this.#version(end - 8)) return false
    let target = i + 1
    while (bytes[target] === SPACE) target++
    let targetEnd = end - 8
    if (bytes[targetEnd - 1] !== SPACE && bytes[targetEnd - 1] !== TAB) return false
    while (targetEnd > target && (bytes[targetEnd - 1] === SPACE || bytes[targetEnd - 1] === TAB)) targetEnd--
    if (targetEnd === target) return false
    this.secondStart = target
    this.secondEnd = targetEnd
    if (i - at === 4 && view.getInt32(at, true) === 0x44414548) this.method = METHOD_HEAD
    else if (i - at === 7 && view.getInt32(at, true) === 0x4e4e4f43 && view.getInt32(at + 3, true) === 0x5443454e) {
      this.method = METHOD_CONNECT
    }
    return true
  }

  /** HTTP-version SP status-code SP [ reason-phrase ] (RFC 9112 §4); servers in use leave the last space out too. */
  #statusLine(at: number, end: number): boolean {
    const bytes = this.#bytes
    if (end - at < 12 || !this.#version(at) || bytes[at + 8] !== SPACE) return false
    let i = at + 9
    while (i < end - 3 && bytes[i] === SPACE) i++
    if (end - i < 3 || !isDigit(bytes[i]) || !isDigit(bytes[i + 1]) || !isDigit(bytes[i + 2])) return false
    this.status = (bytes[i] - 48) * 100 + (bytes[i + 1] - 48) * 10 + (bytes[i + 2] - 48)
    if (this.status < 100) return false
    this.firstStart = i
    this.firstEnd = i + 3
    i += 3
    if (i < end && bytes[i] !== SPACE) return false
    this.secondStart = Math.min(i + 1, end)
    this.secondEnd = end
    return true
  }

  #version(at: number): boolean {
    const view = this.#view
    if (view.getInt32(at, true) !== HTTP_WORD || (view.getInt32(at + 4, true) & 0xffffff) !== SLASH_ONE) return false
    this.minorVersion = view.getUint8(at + 7)
    return isDigit(this.minorVersion)
  }

  #fieldLines(start: number, end: number, isResponse: boolean): number {
    const bytes = this.#bytes
    const view = this.#view
    let line = start
    for (;;) {
      const nameEnd = findColonOrLf(view, line, end)
      const colon = nameEnd >= 0 && bytes[nameEnd] === COLON ? nameEnd : -1
      const eol = colon < 0 ? nameEnd : findLf(view, colon, end)
      if (eol < 0) return HEAD_INCOMPLETE
      const first = bytes[line]
      if (eol === line || (first === CR && eol === line + 1)) {
        this.end = eol + 1
        if (this.coding !== CODING_NONE && this.contentLength !== LENGTH_ABSENT)
          this.anomalies |= ANOMALY_LENGTH_IGNORED
        return HEAD_COMPLETE
      }
      if (first === SPACE || first === TAB) this.#fold(line, eol, isResponse)
      else {
        // Nearly every line: a name, a colon, a space, a value, CR.
        if (
          colon > line &&
          bytes[colon - 1] > SPACE &&
          bytes[colon + 1] === SPACE &&
          bytes[colon + 2] > SPACE &&
          bytes[eol - 1] === CR &&
          bytes[eol - 2] > SPACE
        ) {
          this.#field(line, colon, colon + 2, eol - 1, isResponse)
        } else this.#oddLine(line, colon, eol, isResponse)
      }
      line = eol + 1
    }
  }

  /** field-name ":" OWS field-value OWS (RFC 9112 §5), or what passes for it; `colon` is negative where there is none */
  #oddLine(line: number, colon: number, eol: number, isResponse: boolean): void {
    const bytes = this.#bytes
    if (colon < 0) {
      this.anomalies |= ANOMALY_MALFORMED_FIELD
      const end = this.#trimEnd(line, eol)
      this.#field(line, end, end, end, isResponse)
      return
    }
    let nameEnd = colon
    let value = colon + 1
    const valueEnd = this.#trimEnd(value, eol)
    while (nameEnd > line && bytes[nameEnd - 1] <= SPACE) nameEnd--
    while (value < valueEnd && isLineSpace(bytes[value])) value++
    this.#field(line, nameEnd, value, valueEnd, isResponse)
  }

  #field(name: number, nameEnd: number, value: number, valueEnd: number, isResponse: boolean): void {
    const index = this.fieldCount * 4
    if (index === this.fields.length) this.#growFields()
    const fields = this.fields
    fields[index] = name
    fields[index + 1] = nameEnd
    fields[index + 2] = value
    fields[index + 3] = valueEnd
    this.fieldCount++
    const length = nameEnd - name
    if (MEANINGFUL_LENGTHS[length & 31] === length) this.#known(name, length, value, valueEnd, isResponse)
    if (!isResponse && this.rule === 0) this.rule = this.#rules.requestHeader(this.#view, name, length)
  }

  /** A line that begins with white space continues the value before it, which is then judged anew: as a whole. */
  #fold(line: number, eol: number, isResponse: boolean): void {
    if (this.fieldCount === 0) {
      this.anomalies |= ANOMALY_MALFORMED_FIELD
      return
    }
    this.anomalies |= ANOMALY_FOLDED
    const last = this.fieldCount * 4 - 4
    const valueEnd = this.#trimEnd(line, eol)
    if (valueEnd === line) return
    const fields = this.fields
    if (fields[last + 2] === fields[last + 3]) {
      let value = line
      while (isLineSpace(this.#bytes[value])) value++
      fields[last + 2] = value
    }
    fields[last + 3] = valueEnd
    if (this.#isContentLength(last)) this.#judgeLengths()
    else this.#known(fields[last], fields[last + 1] - fields[last], fields[last + 2], valueEnd, isResponse)
  }

  #isContentLength(index: number): boolean {
    const { fields } = this
    const length = fields[index + 1] - fields[index]
    return length === CONTENT_LENGTH.length && CONTENT_LENGTH.matches(this.#view, fields[index])
  }

  /** All Content-Length fields anew: one had been judged by its beginning, which may be empty. */
  #judgeLengths(): void {
    this.contentLength = LENGTH_ABSENT
    for (let i = 0; i < this.fieldCount * 4 && this.contentLength !== LENGTH_INVALID; i += 4) {
      if (this.#isContentLength(i)) this.#contentLength(this.fields[i + 2], this.fields[i + 3])
    }
  }

  /** Fields that decide framing or filtering. */
  #known(name: number, length: number, value: number, valueEnd: number, isResponse: boolean): void {
    const bytes = this.#bytes
    const view = this.#view
    switch (length) {
      case 10:
        if (!isResponse && this.rule === 0 && USER_AGENT.matches(view, name)) {
          this.rule = this.#rules.userAgent(bytes, value, valueEnd)
        }
        break
      case 12:
        if (CONTENT_TYPE.matches(view, name) && this.#rules.contentType(bytes, view, value, valueEnd)) {
          this.contentTypeListed = true
        }
        break
      case 14:
        if (CONTENT_LENGTH.matches(view, name)) this.#contentLength(value, valueEnd)
        break
      case 17:
        if (TRANSFER_ENCODING.matches(view, name)) this.#transferEncoding(value, valueEnd)
        break
    }
  }

  /** A number, or the same number repeated as a list or in several fields (RFC 9112 §6.3, item 5). */
  #contentLength(at: number, end: number): void {
    const bytes = this.#bytes
    let i = at
    for (;;) {
      let number = 0
      const first = i
      while (i < end && isDigit(bytes[i])) number = number * 10 + (bytes[i++] - 48)
      const bad = i === first || number > Number.MAX_SAFE_INTEGER
      const other = this.contentLength !== LENGTH_ABSENT && this.contentLength !== number
      this.contentLength = bad || other ? LENGTH_INVALID : number
      while (i < end && (bytes[i] === SPACE || bytes[i] === TAB)) i++
      if (i === end || this.contentLength === LENGTH_INVALID) break
      if (bytes[i++] !== COMMA) {
        this.contentLength = LENGTH_INVALID
        break
      }
      while (i < end && (bytes[i] === SPACE || bytes[i] === TAB)) i++
    }
  }

  /**
   * Only the last coding matters for the framing (RFC 9112 §6.1); several fields are one list. `identity` alone is none:
   * servers that still send it (RFC 2616 §3.6) send a Content-Length or close beside it.
   */
  #transferEncoding(at: number, end: number): void {
    const bytes = this.#bytes
    let last = end
    while (last > at && bytes[last - 1] !== COMMA) last--
    while (last < end && (isLineSpace(bytes[last]) || bytes[last] === LF)) last++
    let stop = last
    while (stop < end && bytes[stop] !== SEMICOLON && bytes[stop] !== SPACE && bytes[stop] !== TAB) stop++
    const alone = last === at && stop === end && this.coding === CODING_NONE
    if (alone && stop - last === IDENTITY.length && IDENTITY.matches(this.#view, last)) return
    const chunked = stop - last === CHUNKED.length && CHUNKED.matches(this.#view, last)
    this.coding = chunked ? CODING_CHUNKED : CODING_OTHER
  }

  #growFields(): void {
    const fields = new Int32Array(this.fields.length * 2)
    fields.set(this.fields)
    this.fields = fields
  }
}

const isDigit = (c: number): boolean => c >= 48 && c <= 57
const isLineSpace = (c: number): boolean => c === SPACE || c === CR || c === TAB
