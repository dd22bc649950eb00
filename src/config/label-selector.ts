/**
 * Parses Kubernetes label selectors: `app=web,tier in (front, back),!canary`. All requirements must hold. Pure.
 *
 * Syntax and semantics: kubernetes.io, "Labels and Selectors"; `!=` and `notin` also match objects without the label.
 */
import { usageError } from '../errors.ts'

type Labels = Readonly<Record<string, string>>

interface Requirement {
  readonly key: string
  readonly operator: 'in' | 'notin' | 'exists' | 'absent'
  readonly values: readonly string[]
}

/** A parsed selector. */
export interface LabelSelector {
  /** The empty selector matches everything. */
  matches(labels: Labels): boolean
  /** Whether no labels match, as with `app=web,app=api`. */
  readonly isContradictory: boolean
}

/** @throws InterceptorError (EXIT_USAGE) with the position of the error and what is expected there */
export function parseLabelSelector(text: string): LabelSelector {
  const requirements = new SelectorParser(text).parse()
  return {
    matches: (labels) => requirements.every((requirement) => holds(requirement, labels)),
    isContradictory: requirements.some((requirement) => isExcluded(requirement, requirements)),
  }
}

/** Whether the other requirements about the same label leave nothing of what one requires. */
function isExcluded({ key, operator, values }: Requirement, all: readonly Requirement[]): boolean {
  const same = all.filter((other) => other.key === key)
  if (operator === 'exists') return same.some((other) => other.operator === 'absent')
  return operator === 'in' && !values.some((value) => same.every((other) => holds(other, { [key]: value })))
}

function holds({ key, operator, values }: Requirement, labels: Labels): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined
  switch (operator) {
    case 'exists':
      return value !== undefined
    case 'absent':
      return value === undefined
    case 'in':
      return value !== undefined && values.includes(value)
    case 'notin':
      return value === undefined || !values.includes(value)
  }
}

/** A word, or one of `! = == != ( ) ,`. */
const TOKEN = /\s*(?:(?<sign>==|!=|[!=(),])|(?<word>[^\s!=(),]+))/y
const KEY = /^(?:(?=.{1,253}\/)[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/
const VALUE = /^(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/

class SelectorParser {
  readonly #text: string
  /** Offset of the next token. */
  #at = 0

  constructor(text: string) {
    this.#text = text.trimEnd()
  }

  parse(): Requirement[] {
    const requirements: Requirement[] = []
    if (this.#isAtEnd()) return requirements
    do requirements.push(this.#requirement())
    while (this.#accept(','))
    if (!this.#isAtEnd()) throw this.#expected('a comma or the end')
    return requirements
  }

  #requirement(): Requirement {
    if (this.#accept('!')) return { key: this.#key(), operator: 'absent', values: [] }
    const key = this.#key()
    if (this.#accept('=') || this.#accept('==')) return { key, operator: 'in', values: [this.#value()] }
    if (this.#accept('!=')) return { key, operator: 'notin', values: [this.#value()] }
    if (this.#accept('in')) return { key, operator: 'in', values: this.#values() }
    if (this.#accept('notin')) return { key, operator: 'notin', values: this.#values() }
    return { key, operator: 'exists', values: [] }
  }

  #key(): string {
    const word = this.#peek()?.word
    if (word === undefined || !KEY.test(word)) throw this.#expected('a label key, such as app or example.com/app')
    return this.#next()
  }

  /** May be empty: `app=` matches a label with an empty value. */
  #value(): string {
    const word = this.#peek()?.word
    if (word === undefined) return ''
    if (!VALUE.test(word)) {
      throw this.#expected('a label value: up to 63 letters, digits, dashes, dots and underscores')
    }
    return this.#next()
  }

  #values(): string[] {
    if (!this.#accept('(')) throw this.#expected('values in parentheses, such as (a, b)')
    const values: string[] = []
    do values.push(this.#value())
    while (this.#accept(','))
    if (!this.#accept(')')) throw this.#expected('a comma or )')
    return values
  }

  #accept(token: string): boolean {
    const next = this.#peek()
    if ((next?.sign ?? next?.word) !== token) return false
    this.#next()
    return true
  }

  #next(): string {
    const { sign, word, length } = this.#peek()!
    this.#at += length
    return (sign ?? word)!
  }

  #peek(): { sign: string | undefined; word: string | undefined; length: number } | null {
    TOKEN.lastIndex = this.#at
    const match = TOKEN.exec(this.#text)
    return match && { sign: match.groups!['sign'], word: match.groups!['word'], length: match[0].length }
  }

  #isAtEnd(): boolean {
    return this.#peek() === null
  }

  #expected(what: string): Error {
    const rest = this.#text.slice(this.#at).trimStart()
    const place = rest === '' ? 'at its end' : `at “${rest}”`
    return usageError(`label selector “${this.#text}”: expected ${what} ${place}`, {
      hint: 'An example is app=web,tier in (front, back),!canary',
    })
  }
}
