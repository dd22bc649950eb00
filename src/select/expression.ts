/**
 * Expressions of `--where` in CEL, the Common Expression Language that Kubernetes uses (https://cel.dev): compiled and
 * type-checked once, evaluated for each pair. Loads the CEL library; import it dynamically.
 */
import { type ASTNode, Environment } from '@marcbachmann/cel-js'
import { usageError } from '../errors.ts'
import type { Pair } from '../pair/pair.ts'
import { type CelError, faultAt, wrongExpression } from './expression-error.ts'
import {
  CaptureFields,
  EndpointFields,
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

/**
 * Compiles an expression over the fields of a pair (docs/select.md). An expression that fails on a pair, because that pair
 * has no such field in its JSON, does not select it.
 *
 * @throws InterceptorError (EXIT_USAGE) that names the column and, for a wrong field, the nearest known one
 */
export function compilePredicate(text: string): (pair: Pair) => boolean {
  const evaluate = parse(text)
  const checked = evaluate.check()
  if (!checked.valid) throw wrongExpression(text, checked.error as CelError)
  checkLiterals(text, evaluate.ast)
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
    throw wrongExpression(text, error as CelError)
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

/**
 * Rejects literals that could select no pair: regular expressions that are wrong, and header names with capitals.
 *
 * @throws InterceptorError (EXIT_USAGE)
 */
function checkLiterals(text: string, ast: ASTNode): void {
  for (const node of nodesOf(ast)) {
    const pattern = node.op === 'rcall' && node.args[0] === 'matches' ? node.args[2][0] : undefined
    const problem = pattern === undefined ? null : patternProblem(literalOf(pattern))
    if (pattern !== undefined && problem !== null) throw faultAt(text, pattern.range.start, problem)
    const name = headerNameIn(node)
    const lower = name?.toLowerCase()
    if (name === undefined || name === lower) continue
    throw faultAt(text, text.indexOf(name, node.range.start), `header names are in lower case; did you mean ${lower}?`)
  }
}

function* nodesOf(value: unknown): Generator<ASTNode> {
  if (Array.isArray(value)) for (const one of value) yield* nodesOf(one)
  if (typeof value !== 'object' || value === null || !('op' in value)) return
  const node = value as ASTNode
  yield node
  yield* nodesOf(node.args)
}

const literalOf = (node: ASTNode): string | undefined =>
  node.op === 'value' && typeof node.args === 'string' ? node.args : undefined

/** @param pattern undefined: it is no literal @returns what is wrong; null: nothing that is known yet */
function patternProblem(pattern: string | undefined): string | null {
  try {
    if (pattern !== undefined) new RegExp(pattern)
    return null
  } catch (error) {
    return (error as Error).message.replace(/^Invalid/, 'invalid')
  }
}

/** The name by which a node looks up a header: `headers.host`, `headers["host"]`, `"host" in headers`. */
function headerNameIn(node: ASTNode): string | undefined {
  const isHeaders = (of: ASTNode): boolean => of.op === '.' && of.args[1] === 'headers'
  if (node.op === '.' && isHeaders(node.args[0])) return node.args[1]
  if (node.op === '[]' && isHeaders(node.args[0])) return literalOf(node.args[1])
  return node.op === 'in' && isHeaders(node.args[1]) ? literalOf(node.args[0]) : undefined
}
