/**
 * A message's head (RFC 9112): the head scanner finds the parts of the start line, the position of each field's name and
 * value, and the framing; the rules that depend on a head alone are evaluated here. Nothing is copied or allocated; the
 * results are valid until the next scan.
 *
 * It is as lenient as the servers and clients in use: bare LF (RFC 9112 §2.2), spaces around values and before the colon,
 * obs-fold (§5.2), lines that are no field (kept as malformed). Ambiguous framing is reported, not guessed.
 */

import type { HeadRules } from '../filter.ts'
import type { HeadScanner } from '../head-scanner/head-scanner.ts'
import {
  ANOMALIES,
  CODING,
  CONTENT_LENGTH,
  END,
  FIELD_BYTES,
  FIELD_COUNT,
  FIELDS_AT,
  FIRST_END,
  FIRST_START,
  HEAD_COMPLETE,
  HEAD_INCOMPLETE,
  MAJOR_VERSION,
  MAX_FIELDS,
  METHOD,
  MINOR_VERSION,
  RESULTS_AT,
  RULE_FIELD_COUNT,
  RULE_FIELDS_AT,
  SECOND_END,
  SECOND_START,
  START_LINE_END,
  STATUS,
} from '../head-scanner/layout.ts'
import type { Arena } from '../memory/arena.ts'
import { Caseless, SPACE } from './text.ts'

const CONTENT_TYPE = new Caseless('content-type')
const USER_AGENT = new Caseless('user-agent')
const HOST = new Caseless('host')
const CONNECTION = new Caseless('connection')
/** Bits of the lengths of names that rules are about. */
const RESPONSE_LENGTHS = 1 << CONTENT_TYPE.length
const REQUEST_LENGTHS = RESPONSE_LENGTHS | (1 << USER_AGENT.length)
const HOST_LENGTHS = 1 << HOST.length
const HYPHEN = 45
const ZERO = 48
const ONE = 49
const STANDARD_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH']
const METHOD_START_BYTES = 4
/** The first four bytes of the standard methods. */
const METHOD_STARTS = STANDARD_METHODS.map((method) => `${method} `.slice(0, METHOD_START_BYTES))
/** What is left of a standard method whose first bytes were in the segment before. */
const METHOD_ENDS: ReadonlySet<string> = new Set(
  STANDARD_METHODS.flatMap((method) => Array.from({ length: method.length - 1 }, (_, i) => method.slice(i + 1))),
)
const LONGEST_METHOD_END = 6
const METHODS: ReadonlySet<number> = new Set(
  METHOD_STARTS.map((start) => new DataView(new TextEncoder().encode(start).buffer).getInt32(0, true)),
)
/** Longest DNS name with a port. */
const LONGEST_HOST = 260

export class MessageHead {
  /** Four addresses each: name start and end, value start and end. */
  readonly fields: Int32Array
  /** A media type of the configured list is among the Content-Type fields. */
  contentTypeListed = false
  /** A Host field is on the list of `filter.include`, where there is one. */
  hostListed = false
  /** Number of the first head rule that filters this request, 0 when none does. */
  rule = 0
  readonly #scanner: HeadScanner
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #results: Int32Array
  readonly #judged: Int32Array
  readonly #rules: HeadRules

  constructor(arena: Arena, rules: HeadRules) {
    this.#scanner = arena.headScanner
    this.#bytes = arena.bytes
    this.#view = arena.view
    this.#results = arena.results
    this.fields = new Int32Array(arena.bytes.buffer, FIELDS_AT, (MAX_FIELDS * FIELD_BYTES) / 4)
    this.#judged = new Int32Array(arena.bytes.buffer, RULE_FIELDS_AT, MAX_FIELDS)
    this.#rules = rules
  }

  /**
   * Scans the head that begins at `at`.
   *
   * @returns HEAD_COMPLETE with all results; otherwise only `startLineEnd` and `fieldCount` are valid: how far the head was
   *   plausible (startLineEnd 0 while the start line is incomplete)
   */
  scan(at: number, end: number, isResponse: boolean): number {
    const result = isResponse
      ? this.#scanner.scan(at, end, 1, RESPONSE_LENGTHS)
      : this.#scanner.scan(at, end, 0, this.#requestLengths())
    if (result === HEAD_COMPLETE) this.#judge(isResponse)
    return result
  }

  /**
   * Whether a message provably begins at `at`: by a complete start line and a complete field, unless the segment ends with
   * the start line. Start lines alone also occur inside bodies. Not for each message: a request's start is made a string.
   */
  begins(at: number, end: number, isResponse: boolean): boolean {
    const result = this.scan(at, end, isResponse)
    const isWhole = result === HEAD_COMPLETE
    const isBegun = result === HEAD_INCOMPLETE && (this.fieldCount > 0 || this.startLineEnd === end)
    return (isWhole || isBegun) && (isResponse || !this.#isMethodEnd(at, end))
  }

  /** Whether the bytes begin with the end of a standard method: `ET /`, where a segment ended with `G`. */
  #isMethodEnd(at: number, end: number): boolean {
    const start = String.fromCharCode(...this.#bytes.subarray(at, Math.min(end, at + LONGEST_METHOD_END + 1)))
    const space = start.indexOf(' ')
    return space > 0 && METHOD_ENDS.has(start.slice(0, space))
  }

  /** Whether the bytes may be the beginning of a message: one that is cut off before anything proves it, or an invalid one. */
  mayBegin(at: number, end: number, isResponse: boolean): boolean {
    const isOpen = this.scan(at, end, isResponse) === HEAD_INCOMPLETE
    return (isOpen || this.startLineEnd !== 0) && (isResponse || this.isMethod(at, end))
  }

  /** Whether bytes begin with a method, or a part of one, of capital letters and hyphens, as all methods in use are. */
  isMethod(at: number, end: number): boolean {
    for (let i = at; i < end && this.#bytes[i] !== SPACE; i++) {
      const c = this.#bytes[i]
      if ((c < 65 || c > 90) && c !== HYPHEN) return false
    }
    return true
  }

  /** Whether the bytes may be a request with a standard method whose head is cut before anything proves it. */
  isCutRequest(at: number, end: number): boolean {
    if (this.scan(at, end, false) !== HEAD_INCOMPLETE) return false
    if (end - at >= METHOD_START_BYTES) return this.isStandardMethod(at)
    const start = String.fromCharCode(...this.#bytes.subarray(at, end))
    return METHOD_STARTS.some((method) => method.startsWith(start))
  }

  /** Whether a method of RFC 9110 §9.3 or RFC 5789 begins at `at`. */
  isStandardMethod(at: number): boolean {
    return METHODS.has(this.#view.getInt32(at, true))
  }

  /** End of the head, after the empty line. */
  get end(): number {
    return this.#results[END / 4]
  }

  /** End of the start line with its line ending: fields begin here. */
  get startLineEnd(): number {
    return this.#results[START_LINE_END / 4]
  }

  /** METHOD_HEAD, METHOD_CONNECT or METHOD_OTHER */
  get method(): number {
    return this.#results[METHOD / 4]
  }

  /** The method; of a response the status code. */
  get firstStart(): number {
    return this.#results[FIRST_START / 4]
  }

  get firstEnd(): number {
    return this.#results[FIRST_END / 4]
  }

  /** The request target; of a response the reason phrase. */
  get secondStart(): number {
    return this.#results[SECOND_START / 4]
  }

  get secondEnd(): number {
    return this.#results[SECOND_END / 4]
  }

  /** 0 for a request. */
  get status(): number {
    return this.#results[STATUS / 4]
  }

  get fieldCount(): number {
    return this.#results[FIELD_COUNT / 4]
  }

  /** Bytes, LENGTH_ABSENT or LENGTH_INVALID. */
  get contentLength(): number {
    return this.#view.getFloat64(RESULTS_AT + CONTENT_LENGTH, true)
  }

  /** CODING_NONE, CODING_CHUNKED or CODING_OTHER */
  get coding(): number {
    return this.#results[CODING / 4]
  }

  /** ANOMALY_ bits. */
  get anomalies(): number {
    return this.#results[ANOMALIES / 4]
  }

  /** Value of the first Host field; empty where there is none. Allocates a string: not for every message. */
  hostField(): string {
    const at = this.#find(HOST, 0)
    return at < 0 ? '' : this.#value(at).slice(0, LONGEST_HOST)
  }

  /**
   * Whether the sender closes the connection after this message (RFC 9112 §9.3). Allocates strings: not for every message.
   */
  closesConnection(): boolean {
    const options: string[] = []
    for (let at = this.#find(CONNECTION, 0); at >= 0; at = this.#find(CONNECTION, at + 4)) {
      options.push(
        ...this.#value(at)
          .toLowerCase()
          .split(/[\s,]+/),
      )
    }
    const isVersion10 =
      this.#bytes[RESULTS_AT + MAJOR_VERSION] === ONE && this.#bytes[RESULTS_AT + MINOR_VERSION] === ZERO
    return options.includes('close') || (isVersion10 && !options.includes('keep-alive'))
  }

  /** Index in `fields` of the first field of this name from `from` on, or -1. */
  #find(name: Caseless, from: number): number {
    const { fields } = this
    for (let i = from; i < this.fieldCount * 4; i += 4) {
      if (fields[i + 1] - fields[i] === name.length && name.matches(this.#view, fields[i])) return i
    }
    return -1
  }

  #value(at: number): string {
    return Buffer.from(this.#bytes.subarray(this.fields[at + 2], this.fields[at + 3])).toString('latin1')
  }

  #requestLengths(): number {
    const { headerLengths, include } = this.#rules
    return REQUEST_LENGTHS | headerLengths | (include.hasHosts ? HOST_LENGTHS : 0)
  }

  /** Applies the rules to the fields that they may refer to, in their order. */
  #judge(isResponse: boolean): void {
    const { fields } = this
    const view = this.#view
    const count = this.#results[RULE_FIELD_COUNT / 4]
    this.contentTypeListed = false
    this.hostListed = false
    this.rule = 0
    for (let k = 0; k < count; k++) {
      const i = this.#judged[k]
      const name = fields[i]
      const length = fields[i + 1] - name
      if (length === CONTENT_TYPE.length && CONTENT_TYPE.matches(view, name)) {
        if (this.#rules.contentType(this.#bytes, view, fields[i + 2], fields[i + 3])) this.contentTypeListed = true
      }
      if (isResponse || this.rule !== 0) continue
      if (length === USER_AGENT.length && USER_AGENT.matches(view, name)) {
        this.rule = this.#rules.userAgent(this.#bytes, fields[i + 2], fields[i + 3])
      }
      if (this.rule === 0) this.rule = this.#rules.requestHeader(view, name, length)
      if (length === HOST.length && this.#rules.include.hasHosts && HOST.matches(view, name)) {
        if (this.#rules.include.host(this.#bytes, fields[i + 2], fields[i + 3])) this.hostListed = true
      }
    }
  }
}
