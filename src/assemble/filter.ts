/**
 * The filter rules (`filter.*` in docs/configuration.md). Each rule is applied to the first head that decides it, so that
 * most traffic is filtered before its body is copied.
 *
 * A pair is counted under the first rule that matches, in this order: userAgent and header (whichever field comes first),
 * path, vantage, include (what the request decides), status, contentType, include (what the response decides), pairBytes,
 * include (the latency), selection.
 */

import { Glob, hasWildcard } from '../config/glob.ts'
import {
  RULE_CONTENT_TYPE,
  RULE_HEADER,
  RULE_INCLUDE,
  RULE_NONE,
  RULE_PATH,
  RULE_STATUS,
  RULE_USER_AGENT,
} from '../ledger/reasons.ts'
import { Include, type IncludeConfig } from '../select/include.ts'
import { pathEnd, pathStart } from '../select/request-path.ts'
import { LONGEST_LENGTH } from './head-scanner/layout.ts'
import { Caseless, CR, LF, SEMICOLON, SPACE, TAB } from './http1/text.ts'

export interface FilterConfig {
  /** Media types, with wildcards (`application/*+json`); empty: every pair. */
  contentTypes: readonly string[]
  userAgentPrefixes: readonly string[]
  /** Names of fields. */
  requestHeaders: readonly string[]
  /** Codes (`301`) and classes (`4xx`). */
  statuses: readonly string[]
  /** Paths, with wildcards (`/actuator/**`). */
  paths: readonly string[]
  /** Only these; `--all` does not disable it. */
  include: IncludeConfig
}

/** Rules that are applied to the fields of a head. */
export interface HeadRules {
  /** Bit n is set if `requestHeader` may match a name of n bytes; bit 31: any longer name. */
  readonly headerLengths: number
  /** Whether a Content-Type value is one of the configured media types, ignoring parameters and case. */
  contentType(bytes: Uint8Array, view: DataView, at: number, end: number): boolean
  /** RULE_USER_AGENT or RULE_NONE */
  userAgent(bytes: Uint8Array, at: number, end: number): number
  /** RULE_HEADER or RULE_NONE, for the name of a request's field */
  requestHeader(view: DataView, name: number, length: number): number
  readonly include: Include
}

/** Longest Content-Type whose result is cached. */
const CACHED_BYTES = 60

export class Filter implements HeadRules {
  headerLengths = 0
  readonly include: Include
  readonly #everything: boolean
  #contentTypes: readonly Caseless[] = []
  #contentTypeGlobs: readonly Glob[] = []
  #userAgents: readonly Uint8Array[] = []
  #headers: readonly Caseless[] = []
  readonly #statuses = new Uint8Array(1000)
  #paths: readonly Uint8Array[] = []
  #pathGlobs: readonly Glob[] = []
  /** The last Content-Type and its result: most messages repeat it. */
  readonly #cached = new DataView(new ArrayBuffer(CACHED_BYTES + 4))
  #cachedBytes = -1
  #cachedResult = false

  /** @param everything disable the rules (`--all`) */
  constructor(config: FilterConfig, everything: boolean) {
    this.#everything = everything
    this.include = new Include(config.include)
    this.configure(config)
  }

  /** Replaces the rules; allowed at any time between two heads. */
  configure(config: FilterConfig): void {
    const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
    const [typeGlobs, types] = partition(config.contentTypes)
    this.#contentTypes = types.map((type) => new Caseless(type))
    this.#contentTypeGlobs = typeGlobs.map((pattern) => new Glob(pattern, { ignoreCase: true }))
    this.#userAgents = config.userAgentPrefixes.map(encode)
    this.#headers = config.requestHeaders.map((name) => new Caseless(name))
    this.include.configure(config.include)
    this.#cachedBytes = -1
    this.#statuses.fill(0)
    this.headerLengths = this.#headers.reduce((bits, { length }) => bits | lengthBit(length), 0)
    for (const status of config.statuses) this.#addStatus(status)
    const [pathGlobs, paths] = partition(config.paths.map(withoutTrailingSlash))
    this.#paths = paths.map(encode)
    this.#pathGlobs = pathGlobs.map((pattern) => new Glob(pattern, { separator: '/' }))
  }

  contentType(bytes: Uint8Array, view: DataView, at: number, end: number): boolean {
    const length = end - at
    if (length === this.#cachedBytes && this.#isCached(view, at, length)) return this.#cachedResult
    const listed = this.#isListed(bytes, view, at, end)
    if (length <= CACHED_BYTES) {
      for (let i = 0; i < length; i += 4) this.#cached.setInt32(i, view.getInt32(at + i, true), true)
      this.#cachedBytes = length
      this.#cachedResult = listed
    }
    return listed
  }

  /** Whether the value is byte for byte the last one. */
  #isCached(view: DataView, at: number, length: number): boolean {
    const cached = this.#cached
    let i = 0
    for (; i <= length - 4; i += 4) if (view.getInt32(at + i, true) !== cached.getInt32(i, true)) return false
    const rest = (1 << ((length - i) * 8)) - 1
    return ((view.getInt32(at + i, true) ^ cached.getInt32(i, true)) & rest) === 0
  }

  #isListed(bytes: Uint8Array, view: DataView, at: number, end: number): boolean {
    let stop = at
    while (stop < end && bytes[stop] !== SEMICOLON) stop++
    while (stop > at && isFold(bytes[stop - 1])) stop--
    for (const type of this.#contentTypes) if (type.length === stop - at && type.matches(view, at)) return true
    for (const glob of this.#contentTypeGlobs) if (glob.matches(bytes, at, stop)) return true
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

  /** RULE_PATH or RULE_NONE, for the request target [at, end) in any of its forms (RFC 9112 §3.2). */
  target(bytes: Uint8Array, at: number, end: number): number {
    if (this.#everything) return RULE_NONE
    const start = pathStart(bytes, at, end)
    const stop = pathEnd(bytes, start, end)
    for (const path of this.#paths) if (path.length === stop - start && equal(bytes, start, path)) return RULE_PATH
    for (const glob of this.#pathGlobs) if (glob.matches(bytes, start, stop)) return RULE_PATH
    return RULE_NONE
  }

  /** RULE_STATUS, RULE_CONTENT_TYPE, RULE_INCLUDE or RULE_NONE, once both heads are known. */
  response(status: number, contentTypeListed: boolean): number {
    if (!this.#everything) {
      if (this.#statuses[status] === 1) return RULE_STATUS
      const every = this.#contentTypes.length === 0 && this.#contentTypeGlobs.length === 0
      if (!contentTypeListed && !every) return RULE_CONTENT_TYPE
    }
    return this.include.status(status) ? RULE_NONE : RULE_INCLUDE
  }

  #addStatus(status: string): void {
    if (/^[1-9]xx$/i.test(status)) this.#statuses.fill(1, Number(status[0]) * 100, Number(status[0]) * 100 + 100)
    else this.#statuses[Number(status)] = 1
  }
}

function equal(bytes: Uint8Array, at: number, other: Uint8Array): boolean {
  for (let i = 0; i < other.length; i++) if (bytes[at + i] !== other[i]) return false
  return true
}

/** Patterns and plain values apart. */
const partition = (values: readonly string[]): [patterns: string[], plain: string[]] => [
  values.filter(hasWildcard),
  values.filter((value) => !hasWildcard(value)),
]

const withoutTrailingSlash = (path: string): string => (path.length > 1 ? path.replace(/\/$/, '') : path)

const lengthBit = (length: number): number => 1 << Math.min(length, LONGEST_LENGTH)

/** White space inside a value that may be folded (RFC 9112 §5.2). */
const isFold = (c: number): boolean => c === SPACE || c === TAB || c === CR || c === LF
