/**
 * The filter rules (`filter.*` in docs/configuration.md). Each rule is applied to the first head that decides it, so that
 * most traffic is filtered before its body is copied.
 *
 * A pair is counted under the first rule that matches, in this order: userAgent and header (whichever field comes first),
 * path, vantage, include (what the request decides), status, contentType, include (what the response decides), pairBytes,
 * include (the latency), selection.
 *
 * The program compares plain texts and statuses (core/http1/rules.ts); it calls this class where patterns decide: for media
 * types, paths with wildcards, and `filter.include`.
 */

import { Glob, hasWildcard } from '../config/glob.ts'
import { Include, type IncludeConfig } from '../select/include.ts'
import { pathEnd, pathStart } from '../select/request-path.ts'
import { CR, LF, SEMICOLON, SPACE, TAB } from './http1/text.ts'

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

/** The rules in force for one assembler. */
export class Filter {
  readonly include: Include
  #contentTypes: readonly Glob[] = []
  #paths: readonly Glob[] = []

  constructor(config: FilterConfig) {
    this.include = new Include(config.include)
    this.configure(config)
  }

  /** Replaces the rules; allowed at any time between two heads. */
  configure(config: FilterConfig): void {
    this.include.configure(config.include)
    this.#contentTypes = config.contentTypes.map((pattern) => new Glob(pattern, { ignoreCase: true }))
    const patterns = config.paths.filter(hasWildcard).map((path) => path.replace(/\/$/, ''))
    this.#paths = patterns.map((pattern) => new Glob(pattern, { separator: '/' }))
  }

  /** Whether the Content-Type value [at, end) is one of the configured media types, ignoring parameters and case. */
  contentType(bytes: Uint8Array, at: number, end: number): boolean {
    let stop = at
    while (stop < end && bytes[stop] !== SEMICOLON) stop++
    while (stop > at && isFold(bytes[stop - 1])) stop--
    return this.#contentTypes.some((type) => type.matches(bytes, at, stop))
  }

  /** Whether the path of the request target [at, end), in any of its forms (RFC 9112 §3.2), matches one with wildcards. */
  target(bytes: Uint8Array, at: number, end: number): boolean {
    const start = pathStart(bytes, at, end)
    const stop = pathEnd(bytes, start, end)
    return this.#paths.some((path) => path.matches(bytes, start, stop))
  }
}

/** White space inside a value that may be folded (RFC 9112 §5.2). */
const isFold = (c: number): boolean => c === SPACE || c === TAB || c === CR || c === LF
