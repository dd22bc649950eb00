/** Errors of expressions of `--where`: the column, and what was meant where that can be guessed. */
import { nearest } from '../config/nearest.ts'
import { type InterceptorError, usageError } from '../errors.ts'
import { FIELD_PATHS, VARIABLES } from './pair-fields.ts'

/** An error of the CEL library: where in the expression, and what. */
export interface CelError {
  message: string
  summary?: string
  code?: string
  range?: { start: number; end: number }
}

/** @returns an error (EXIT_USAGE) that names the column and, for a wrong field or function, the nearest known one */
export function wrongExpression(text: string, error: CelError): InterceptorError {
  const at = error.range?.start ?? 0
  const what = error.summary ?? error.message.split('\n', 1)[0]
  const guess = guessAt(text, at, error)
  return faultAt(text, at, `${what}${guess === null ? '' : `; ${guess}`}`)
}

/** @param at the index in the text @returns an error (EXIT_USAGE) that names the column */
export function faultAt(text: string, at: number, what: string): InterceptorError {
  const from = at > SHOWN_BEFORE ? at - SHOWN_BEFORE : 0
  const shown = text.slice(from, from + SHOWN).replaceAll(/\s/g, ' ')
  const hint = `  ${from > 0 ? '…' : ''}${shown}\n  ${' '.repeat(at - from + (from > 0 ? 1 : 0))}^`
  return usageError(`--where: column ${at + 1}: ${what}`, { hint })
}

/** Characters of an expression that an error shows, and those of them in front of the column. */
const SHOWN = 160
const SHOWN_BEFORE = 120

/** A question, or what is possible instead; null: there is no guess. */
function guessAt(text: string, at: number, { code, message }: CelError): string | null {
  const meant = (guess: string | null | undefined): string | null => (guess ? `did you mean ${guess}?` : null)
  switch (code) {
    case 'no_such_key':
    case 'unknown_variable':
    case 'reserved_identifier': {
      const before = /[\w.]*$/.exec(text.slice(0, at))?.[0] ?? ''
      const word = /^[\w.]*/.exec(text.slice(at))?.[0] ?? ''
      return meant(fieldLike(before, word)) ?? listedFields(before)
    }
    case 'no_matching_overload': {
      const called = /'(?:[^'(]*\.)?(\w+)\(/.exec(message)?.[1] ?? ''
      return FUNCTIONS.includes(called) ? null : meant(nearest(called, FUNCTIONS))
    }
    case 'no_such_overload':
      return / null$/.test(message.split('\n', 1)[0]) ? meant('""') : null
    default:
      return meant(operatorLike(text.slice(at)))
  }
}

const FUNCTIONS = [
  'startsWith',
  'endsWith',
  'contains',
  'matches',
  'size',
  'has',
  'exists',
  'all',
  'filter',
  'map',
  'lowerAscii',
]

/** Names of fields in other tools. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  url: 'request.target',
  uri: 'request.target',
  query: 'request.target',
  verb: 'request.method',
  code: 'response.status',
  statuscode: 'response.status',
  duration: 'latencyMs',
  latency: 'latencyMs',
}

/** Of two fields that are equally near, one of the server or the response is meant. */
const FIELDS = FIELD_PATHS.toReversed()

/** @param before the path of an object, with a full stop, or nothing @param word the rest of the path */
function fieldLike(before: string, word: string): string | null {
  // The last part of a path is more often right than what is in front of it.
  const [root] = before.split('.', 1)
  const named = FIELD_PATHS.filter((path) => path.endsWith(`.${word}`))
  const inside = named.find((path) => path.startsWith(`${root}.`))
  const near = nearest(before + word, FIELDS)
  const isObject = near !== null && FIELD_PATHS.some((path) => path.startsWith(`${near}.`))
  const other = OTHER_NAMES[word.toLowerCase()]
  if (other !== undefined) return other
  if (inside !== undefined && before !== '') return inside
  if (near !== null && !(isObject && before.startsWith(`${near}.`))) return near
  return named.at(-1) ?? nearest(word, Object.keys(VARIABLES))
}

/** The fields of an object that has no similar one. */
function listedFields(before: string): string | null {
  const names = FIELD_PATHS.filter((path) => path.startsWith(before) && !path.slice(before.length).includes('.'))
  if (names.length === 0) return null
  return `known are ${names.map((path) => path.slice(before.length)).join(', ')}`
}

const OPERATORS: readonly (readonly [pattern: RegExp, operator: string])[] = [
  [/^and\b/i, '&&'],
  [/^or\b/i, '||'],
  [/^&(?!&)/, '&&'],
  [/^\|(?!\|)/, '||'],
  [/^=/, '=='],
  [/^[‘’“”]/, 'a straight quotation mark'],
]

/** The operator of CEL for that of another language. */
const operatorLike = (text: string): string | null => OPERATORS.find(([pattern]) => pattern.test(text))?.[1] ?? null
