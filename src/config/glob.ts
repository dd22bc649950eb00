/**
 * Patterns with wildcards in configuration values: `*` matches any text, `?` any one byte. Where components are separated
 * (the paths of requests), neither matches the separator, and `**` matches any text; as a whole component, `**` matches any
 * number of components including none, so that `/actuator/**` covers `/actuator` and everything below it.
 */

export interface GlobOptions {
  /** One ASCII character that separates components; none by default. */
  separator?: string
  /** Compare ASCII letters without case. */
  ignoreCase?: boolean
}

/** Tokens of a compiled pattern. Every other value is a literal byte. */
const ONE = 256
const STAR = 257
const ANYTHING = 258
/** The two tokens that follow may be absent. */
const OPTIONAL = 259

/**
 * One compiled pattern. The time of a match is proportional to the length of the text for every pattern, because
 * all ways to match are followed at once (Thompson, "Regular Expression Search Algorithm", 1968): texts come from the wire.
 */
export class Glob {
  readonly #separator: number
  readonly #ignoreCase: boolean
  readonly #tokens: readonly number[]
  /** Literal bytes in front of the first wildcard: they reject most texts at once. */
  readonly #literals: number
  /** Element i is 1 if the first i tokens match the text so far. */
  #states: Uint8Array
  #next: Uint8Array

  constructor(pattern: string, { separator = '', ignoreCase = false }: GlobOptions = {}) {
    this.#separator = separator === '' ? -1 : separator.charCodeAt(0)
    this.#ignoreCase = ignoreCase
    this.#tokens = tokensOf(ignoreCase ? pattern.toLowerCase() : pattern, separator)
    const wildcard = this.#tokens.findIndex((token) => token >= ONE)
    this.#literals = wildcard < 0 ? this.#tokens.length : wildcard
    this.#states = new Uint8Array(this.#tokens.length + 1)
    this.#next = new Uint8Array(this.#tokens.length + 1)
  }

  /** Whether all of the bytes [at, end) match. Allocates nothing. */
  matches(bytes: Uint8Array, at: number, end: number): boolean {
    const literals = this.#literals
    if (end - at < literals) return false
    for (let i = 0; i < literals; i++) if (this.#fold(bytes[at + i]) !== this.#tokens[i]) return false
    this.#states.fill(0)
    this.#states[literals] = 1
    this.#skip(literals)
    for (let i = at + literals; i < end; i++) if (!this.#step(this.#fold(bytes[i]))) return false
    return this.#states[this.#tokens.length] === 1
  }

  /** Whether a whole text matches. */
  matchesText(text: string): boolean {
    const bytes = new TextEncoder().encode(text)
    return this.matches(bytes, 0, bytes.length)
  }

  /** Consumes one byte. @returns false if no way to match is left */
  #step(byte: number): boolean {
    const tokens = this.#tokens
    const states = this.#states
    const next = this.#next.fill(0)
    let alive = false
    for (let i = this.#literals; i < tokens.length; i++) {
      if (states[i] === 0) continue
      const token = tokens[i]
      if (token === ANYTHING || (token === STAR && byte !== this.#separator)) next[i] = 1
      else if (token === byte || (token === ONE && byte !== this.#separator)) next[i + 1] = 1
      else continue
      alive = true
    }
    this.#states = next
    this.#next = states
    if (alive) this.#skip(this.#literals)
    return alive
  }

  /** Passes the tokens, from the given one on, that may match nothing. */
  #skip(from: number): void {
    const tokens = this.#tokens
    const states = this.#states
    for (let i = from; i < tokens.length; i++) {
      if (states[i] === 0 || tokens[i] < STAR) continue
      states[i + 1] = 1
      if (tokens[i] === OPTIONAL) states[i + 3] = 1
    }
  }

  #fold(byte: number): number {
    return this.#ignoreCase && byte >= 65 && byte <= 90 ? byte | 32 : byte
  }
}

/** Whether a pattern is more than a literal text. */
export const hasWildcard = (pattern: string): boolean => /[*?]/.test(pattern)

/** @returns whether a whole name matches one of the patterns */
export function globMatcher(patterns: readonly string[], options: GlobOptions = {}): (name: string) => boolean {
  const globs = patterns.map((pattern) => new Glob(pattern, options))
  return (name) => globs.some((glob) => glob.matchesText(name))
}

function tokensOf(pattern: string, separator: string): number[] {
  const bytes = [...new TextEncoder().encode(pattern)]
  if (separator === '') return bytes.map(wildcard)
  const slash = separator.charCodeAt(0)
  const tokens: number[] = []
  for (let i = 0; i < bytes.length; i++) {
    const component = i === 0 || bytes[i - 1] === slash
    if (bytes[i] !== ASTERISK || bytes[i + 1] !== ASTERISK) tokens.push(wildcard(bytes[i]))
    else if (component && bytes[i + 2] === slash) {
      tokens.push(OPTIONAL, ANYTHING, slash)
      i += 2
    } else if (component && i > 0 && i + 2 === bytes.length) {
      tokens.pop()
      tokens.push(OPTIONAL, slash, ANYTHING)
      i++
    } else {
      tokens.push(ANYTHING)
      i++
    }
  }
  return tokens
}

const ASTERISK = 42
const QUESTION_MARK = 63

const wildcard = (byte: number): number => (byte === ASTERISK ? STAR : byte === QUESTION_MARK ? ONE : byte)
