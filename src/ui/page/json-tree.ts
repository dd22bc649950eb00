/**
 * Parses JSON into a tree that keeps numbers, the order of keys and duplicate keys as they were sent, which JSON.parse does
 * not. Without recursion: a body may be a megabyte of nested arrays.
 */

/** A value. */
export interface JsonNode {
  readonly kind: 'object' | 'array' | 'string' | 'number' | 'word'
  /** The key in an object, quoted as in the source; null in an array. */
  readonly key: string | null
  /** The source of a scalar; empty for objects and arrays. */
  readonly text: string
  readonly children: JsonNode[]
}

/** One token (RFC 8259 §2): a structural character, a string, a number or a literal name, preceded by white space. */
const TOKEN =
  /[ \t\r\n]*(?:([{}[\],:])|("(?:[^"\\]|\\.)*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)|(true|false|null))/y

/** What the parser expects next. `…OrEnd`: or the end of an empty object or array. */
type Expected = 'value' | 'valueOrEnd' | 'key' | 'keyOrEnd' | 'colon' | 'comma'

/** @returns null where the text is not JSON */
export function parseJson(text: string): JsonNode | null {
  const source = text.trim()
  const scanner = new RegExp(TOKEN)
  const parser = new Parser()
  while (scanner.lastIndex < source.length) {
    const token = scanner.exec(source)
    if (token === null || !parser.accept(token)) return null
  }
  return parser.result
}

class Parser {
  readonly #open: JsonNode[] = []
  #root: JsonNode | null = null
  #key: string | null = null
  #expected: Expected = 'value'

  /** null if the text ended too early. */
  get result(): JsonNode | null {
    return this.#open.length === 0 ? this.#root : null
  }

  /** @returns false if the token is not allowed here */
  accept([, mark, string, number, word]: RegExpExecArray): boolean {
    switch (mark) {
      case '{':
        return this.#begin('object', 'keyOrEnd')
      case '[':
        return this.#begin('array', 'valueOrEnd')
      case '}':
        return this.#end('object', 'keyOrEnd')
      case ']':
        return this.#end('array', 'valueOrEnd')
      case ',':
        return this.#step('comma', this.#open.at(-1)?.kind === 'object' ? 'key' : 'value') && this.#open.length > 0
      case ':':
        return this.#step('colon', 'value')
    }
    if (string !== undefined && (this.#expected === 'key' || this.#expected === 'keyOrEnd')) {
      this.#key = string
      this.#expected = 'colon'
      return true
    }
    const kind = string !== undefined ? 'string' : number !== undefined ? 'number' : 'word'
    return this.#place({ kind, key: this.#key, text: string ?? number ?? word ?? '', children: [] })
  }

  #begin(kind: 'object' | 'array', expected: Expected): boolean {
    const node: JsonNode = { kind, key: this.#key, text: '', children: [] }
    if (!this.#place(node)) return false
    this.#open.push(node)
    this.#expected = expected
    return true
  }

  #end(kind: 'object' | 'array', whenEmpty: Expected): boolean {
    if (this.#open.pop()?.kind !== kind || (this.#expected !== 'comma' && this.#expected !== whenEmpty)) return false
    this.#expected = 'comma'
    return true
  }

  #step(from: Expected, to: Expected): boolean {
    if (this.#expected !== from) return false
    this.#expected = to
    return true
  }

  #place(node: JsonNode): boolean {
    if (this.#expected !== 'value' && this.#expected !== 'valueOrEnd') return false
    const parent = this.#open.at(-1)
    if (parent === undefined) this.#root = node
    else parent.children.push(node)
    this.#key = null
    this.#expected = 'comma'
    return true
  }
}
