/**
 * Expressions of `--where` in CEL, the Common Expression Language that Kubernetes uses (https://cel.dev): compiled and
 * type-checked once, evaluated for each pair. Loads the CEL library; import it dynamically.
 */
import { Environment } from '@marcbachmann/cel-js'
import { nearest } from '../config/nearest.ts'
import { usageError } from '../errors.ts'
import type { Pair } from '../pair/pair.ts'
import {
  CaptureFields,
  EndpointFields,
  FIELD_PATHS,
  FIELD_TYPES,
  PodFields,
  RequestFields,
  ResponseFields,
  VARIABLES,
  variablesOf,
  WorkloadFields,
} from './pair-fields.ts'

/** Limits of one expression, far above what people write: they bound the time that one evaluation takes. */
const LIMITS = { maxAstNodes: 1000, maxDepth: 50, maxListElements: 1000, maxMapEntries: 100, maxCallArguments: 10 }

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

/** An error of the library: where in the expression, and what. */
interface ExpressionError {
  message: string
  summary?: string
  code?: string
  range?: { start: number; end: number }
}

/**
 * Compiles an expression over the fields of a pair (docs/select.md). An expression that fails on a pair, because that pair
 * has no such field in its JSON, does not select it.
 *
 * @throws InterceptorError (EXIT_USAGE) that names the column and, for a wrong field, the nearest known one
 */
export function compilePredicate(text: string): (pair: Pair) => boolean {
  const evaluate = parse(text)
  const checked = evaluate.check()
  if (!checked.valid) throw wrongExpression(text, checked.error as ExpressionError)
  if (checked.type !== 'bool' && checked.type !== 'dyn') {
    throw usageError(`--where: the expression must be true or false, and it is of type ${checked.type}`, {
      hint: 'Compare it with a value, such as response.status >= 500.',
    })
  }
  return (pair) => {
    try {
      return evaluate(variablesOf(pair)) === true
    } catch {
      return false
    }
  }
}

function parse(text: string) {
  try {
    return environment().parse(text)
  } catch (error) {
    throw wrongExpression(text, error as ExpressionError)
  }
}

function environment(): Environment {
  const created = new Environment({ limits: LIMITS })
  created.registerType('Workload', { ctor: WorkloadFields, fields: FIELD_TYPES.Workload })
  created.registerType('Pod', { ctor: PodFields, fields: FIELD_TYPES.Pod })
  created.registerType('Endpoint', { ctor: EndpointFields, fields: FIELD_TYPES.Endpoint })
  created.registerType('Request', { ctor: RequestFields, fields: FIELD_TYPES.Request })
  created.registerType('Response', { ctor: ResponseFields, fields: FIELD_TYPES.Response })
  created.registerType('Capture', { ctor: CaptureFields, fields: FIELD_TYPES.Capture })
  for (const [name, type] of Object.entries(VARIABLES)) created.registerVariable(name, type)
  return created
}

function wrongExpression(text: string, error: ExpressionError) {
  const at = error.range?.start ?? 0
  const what = error.summary ?? error.message.split('\n', 1)[0]
  const guess = guessAt(text, at, error)
  const hint = `  ${text.replaceAll(/\s/g, ' ')}\n  ${' '.repeat(at)}^`
  return usageError(`--where: column ${at + 1}: ${what}${guess === null ? '' : `; did you mean ${guess}?`}`, { hint })
}

/** The known field or function nearest to the wrong one; null if the error is about something else, or none is similar. */
function guessAt(text: string, at: number, { code, message }: ExpressionError): string | null {
  if (code === 'no_such_key' || code === 'unknown_variable') {
    const before = /[\w.]*$/.exec(text.slice(0, at))?.[0] ?? ''
    const word = /^[\w.]*/.exec(text.slice(at))?.[0] ?? ''
    return nearest(before + word, FIELD_PATHS) ?? nearest(word, Object.keys(VARIABLES))
  }
  const called = code === 'no_matching_overload' ? /'(?:[^'(]*\.)?(\w+)\(/.exec(message)?.[1] : undefined
  return called === undefined || FUNCTIONS.includes(called) ? null : nearest(called, FUNCTIONS)
}
