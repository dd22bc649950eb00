/**
 * The rules that leave pairs out (contract, rules 5 and 6). Each is decided at the head that holds what it asks for, so
 * that most traffic is let go before its body is copied.
 *
 * A pair is counted under the first rule that applies, in this order: userAgent and header (whichever field comes first),
 * path, vantage, status, contentType, pairBytes.
 */

import { LONGEST_LENGTH } from './head-scanner/layout.ts'
import { Caseless, COLON, CR, LF, SEMICOLON, SPACE, TAB } from './http1/text.ts'

export interface FilterConfig {
  contentTypes: readonly string[]
  userAgentPrefixes: readonly string[]
  requestHeaders: readonly string[]
  /** Codes (`301`) and classes (`4xx`). */
  statuses: readonly string[]
  paths: readonly string[]
}

/** Rule numbers, in the order of the counters `pairs.filtered.*`. 0 means kept. */
export const RULE_NONE = 0
export const RULE_PAIR_BYTES = 1
export const RULE_CONTENT_TYPE = 2
export const RULE_USER_AGENT = 3
export const RULE_HEADER = 4
export const RULE_STATUS = 5
export const RULE_PATH = 6
/** Of the whole connection: another capture point has the vantage that is kept. */
export const RULE_VANTAGE = 7

/** What the head scanner asks while it is at a field. */
export interface HeadRules {
  /** A bit for the length of each field name that `requestHeader` is about; bit 31 for all longer ones. */
  readonly headerLengths: number
  /** Whether a Content-Type value names one of the configured media types; parameters and case do not count. */
  contentType(bytes: Uint8Array, view: DataView, at: number, end: number): boolean
  /** RULE_USER_AGENT or RULE_NONE */
  userAgent(bytes: Uint8Array, at: number, end: number): number
  /** RULE_HEADER or RULE_NONE, by a request field's name */
  requestHeader(view: DataView, name: number, length: number): number
}

/** A longer Content-Type is judged each time. */
const LONGEST_JUDGED = 60

export class Filter implements HeadRules {
  headerLengths = 0
  readonly #everything: boolean
  #contentTypes: readonly Caseless[] = []
  #userAgents: readonly Uint8Array[] = []
  #headers: readonly Caseless[] = []
  readonly #statuses = new Uint8Array(1000)
  #paths: readonly Uint8Array[] = []
  /** The Content-Type judged last, which most messages repeat. */
  readonly #judged = new DataView(new ArrayBuffer(LONGEST_JUDGED + 4))
  #judgedBytes = -1
  #judgedListed = false

  /** @param everything keep every pair whatever the rules say (`--all`) */
  constructor(config: FilterConfig, everything: boolean) {
    this.#everything = everything
    this.configure(config)
  }

  /** Takes other rules, at any time between two heads. */
  configure(config: FilterConfig): void {
    const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
    this.#contentTypes = config.contentTypes.map((type) => new Caseless(type))
    this.#userAgents = config.userAgentPrefixes.map(encode)
    this.#headers = config.requestHeaders.map((name) => new Caseless(name))
    this.#judgedBytes = -1
    this.#statuses.fill(0)
    this.headerLengths = this.#headers.reduce((bits, { length }) => bits | lengthBit(length), 0)
    for (const status of config.statuses) this.#addStatus(status)
    this.#paths = config.paths.map((path) => encode(path.length > 1 ? path.replace(/\/$/, '') : path))
  }

  contentType(bytes: Uint8Array, view: DataView, at: number, end: number): boolean {
    const length = end - at
    if (length === this.#judgedBytes && this.#isJudged(view, at, length)) return this.#judgedListed
    const listed = this.#isListed(bytes, view, at, end)
    if (length <= LONGEST_JUDGED) {
      for (let i = 0; i < length; i += 4) this.#judged.setInt32(i, view.getInt32(at + i, true), true)
      this.#judgedBytes = length
      this.#judgedListed = listed
    }
    return listed
  }

  /** Whether the value is the one judged last, to the letter. */
  #isJudged(view: DataView, at: number, length: number): boolean {
    const judged = this.#judged
    let i = 0
    for (; i <= length - 4; i += 4) if (view.getInt32(at + i, true) !== judged.getInt32(i, true)) return false
    const rest = (1 << ((length - i) * 8)) - 1
    return ((view.getInt32(at + i, true) ^ judged.getInt32(i, true)) & rest) === 0
  }

  #isListed(bytes: Uint8Array, view: DataView, at: number, end: number): boolean {
    let stop = at
    while (stop < end && bytes[stop] !== SEMICOLON) stop++
    while (stop > at && isFold(bytes[stop - 1])) stop--
    for (const type of this.#contentTypes) if (type.length === stop - at && type.matches(view, at)) return true
    return false
  }

  userAgent(bytes: Uint8Array, at: number, end: number): number {
    if (this.#everything) return RULE_NONE
    for (const prefix of this.#userAgents) {
      if (prefix.length <= end - at && equal(bytes, at, prefix)) return RULE_USER_AGENT
    }
    return RULE_NONE
  }

  requestHeader(view: DataView, name: number, length: number): number {
    if (this.#everything) return RULE_NONE
    for (const header of this.#headers) if (header.length === length && header.matches(view, name)) return RULE_HEADER
    return RULE_NONE
  }

  /** RULE_PATH or RULE_NONE, by the request target [at, end) in any of its forms (RFC 9112 §3.2). */
  target(bytes: Uint8Array, at: number, end: number): number {
    if (this.#everything) return RULE_NONE
    const start = pathStart(bytes, at, end)
    let stop = start
    while (stop < end && bytes[stop] !== 63 && bytes[stop] !== 35) stop++ // ? and #
    if (stop - start > 1 && bytes[stop - 1] === 47) stop--
    for (const path of this.#paths) if (path.length === stop - start && equal(bytes, start, path)) return RULE_PATH
    return RULE_NONE
  }

  /** RULE_STATUS, RULE_CONTENT_TYPE or RULE_NONE, once both heads are known. */
  response(status: number, contentTypeListed: boolean): number {
    if (this.#everything) return RULE_NONE
    if (this.#statuses[status] === 1) return RULE_STATUS
    return contentTypeListed || this.#contentTypes.length === 0 ? RULE_NONE : RULE_CONTENT_TYPE
  }

  #addStatus(status: string): void {
    if (/^[1-9]xx$/i.test(status)) this.#statuses.fill(1, Number(status[0]) * 100, Number(status[0]) * 100 + 100)
    else this.#statuses[Number(status)] = 1
  }
}

/** Where the path begins: after scheme and authority in absolute-form, else at once. */
function pathStart(bytes: Uint8Array, at: number, end: number): number {
  if (bytes[at] === 47) return at
  let i = at
  while (i < end && bytes[i] !== COLON && bytes[i] !== 47) i++
  if (i + 2 >= end || bytes[i] !== COLON || bytes[i + 1] !== 47 || bytes[i + 2] !== 47) return at
  i += 3
  while (i < end && bytes[i] !== 47 && bytes[i] !== 63 && bytes[i] !== 35) i++
  return i
}

function equal(bytes: Uint8Array, at: number, other: Uint8Array): boolean {
  for (let i = 0; i < other.length; i++) if (bytes[at + i] !== other[i]) return false
  return true
}

const lengthBit = (length: number): number => 1 << Math.min(length, LONGEST_LENGTH)

/** White space within a value that may go over several lines (RFC 9112 §5.2). */
const isFold = (c: number): boolean => c === SPACE || c === TAB || c === CR || c === LF
