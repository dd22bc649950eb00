/** Fields of a pair by their names, as `--where` names them (pair-fields.ts), for columns of text. */
import { nearest } from '../config/nearest.ts'
import type { Pair } from '../pair/pair.ts'
import { FIELD_PATHS, variablesOf } from './pair-fields.ts'

/** The columns of `-o tsv` without `--fields`. */
export const USUAL_FIELDS = [
  'time',
  'client.address',
  'client.port',
  'server.address',
  'server.port',
  'request.method',
  'request.target',
  'response.status',
  'latencyMs',
] as const

/** Fields below which any name may follow: headers, labels, and what a body's JSON has. */
const OPEN = FIELD_PATHS.filter((path) => /\.(headers|labels|json)$/.test(path))
const NAMES = ['time', ...FIELD_PATHS]

/** @returns what is wrong with the name of a field, as a sentence; null: nothing */
export function fieldFault(name: string): string | null {
  if (NAMES.includes(name) || OPEN.some((open) => name.startsWith(`${open}.`))) return null
  const guess = nearest(name, NAMES)
  return `There is no field ${name}${guess === null ? '.' : `; did you mean ${guess}?`}`
}

/**
 * Creates the function that reads fields of a pair as texts. Objects are JSON; a field that a pair does not have is empty.
 *
 * @param names without faults
 */
export function fieldReader(names: readonly string[]): (pair: Pair) => string[] {
  const paths = names.map((name) => name.split('.'))
  return (pair) => {
    const variables = { ...variablesOf(pair), time: isoTime(pair.requestStartMicros) }
    return paths.map((path) => textOf(valueAt(variables, path)))
  }
}

function valueAt(from: unknown, path: readonly string[]): unknown {
  let value = from
  for (const [index, name] of path.entries()) {
    // Names of headers and labels may contain dots.
    if (value instanceof Map) return value.get(path.slice(index).join('.'))
    if (typeof value !== 'object' || value === null) return undefined
    // Only the classes of pair-fields.ts have getters; what JSON inherits is no field.
    const isPlain = Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype
    if (isPlain && !Object.hasOwn(value, name)) return undefined
    value = (value as Record<string, unknown>)[name]
  }
  return value
}

function textOf(value: unknown): string {
  if (value === undefined || value === null) return ''
  if (typeof value !== 'object') return String(value)
  const plain = value instanceof Map ? Object.fromEntries(value) : value
  return JSON.stringify(plain, (_, inner) => (typeof inner === 'bigint' ? Number(inner) : inner))
}

/** Microseconds since the Unix epoch as ISO 8601 with six decimals. */
function isoTime(micros: number): string {
  const ms = Math.floor(micros / 1000)
  if (ms > 8.64e15) return String(micros)
  return new Date(ms).toISOString().replace('Z', `${String(micros - ms * 1000).padStart(3, '0')}Z`)
}
