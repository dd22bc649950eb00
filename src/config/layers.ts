/**
 * Where values come from: a YAML file, the environment, and the command line, each read into a flat layer of
 * (path → value). Unknown keys are found here, with the nearest known one.
 */
import { readFileSync } from 'node:fs'
import { isMap, isPair, isScalar, LineCounter, parseDocument } from 'yaml'
import { errorText } from '../errors.ts'
import { configKeys, configSections, isSection, keyAt, keyOfEnvironment } from './keys.ts'
import { nearest } from './nearest.ts'

/** Where a value came from. `name` is for a person: `interceptor.yaml:12`, `INTERCEPTOR_SHIP_MAX_AGE`, `--brokers`. */
export interface Origin {
  readonly kind: 'default' | 'file' | 'environment' | 'flag'
  readonly name: string
}

export interface Setting {
  readonly value: unknown
  readonly origin: Origin
}

export interface Layer {
  readonly settings: Map<string, Setting>
  /** One line per problem. */
  readonly problems: string[]
}

/** A value from the command line. Text is read as the key's kind says; lists are comma-separated. */
export interface FlagValue {
  readonly path: string
  readonly value: string | number | boolean | readonly string[]
  /** The option as the user wrote it, such as `--brokers`. */
  readonly name: string
}

const unknownKey = (written: string, where: string, guess: string | null): string =>
  `unknown key ${written} (${where})${guess === null ? '' : `: did you mean ${guess}?`}`

/**
 * Reads text as a key's kind asks: `true`, `12`, `a,b`. What does not fit stays text, so that validation can say
 * what is wrong with it.
 */
export function valueOfText(path: string, text: string): unknown {
  const kind = keyAt(path)?.kind
  if (kind === 'list') {
    const items = text.split(',').map((item) => item.trim())
    return items.filter((item) => item !== '').map(numberIfExact)
  }
  if (kind === 'boolean') return text === 'true' ? true : text === 'false' ? false : text
  return kind === 'integer' ? numberIfExact(text) : text
}

const numberIfExact = (text: string): string | number => (/^(0|[1-9]\d{0,14})$/.test(text) ? Number(text) : text)

/** The layer of the command line. A later value of one key wins. */
export function flagLayer(flags: readonly FlagValue[]): Layer {
  const layer: Layer = { settings: new Map(), problems: [] }
  for (const { path, value, name } of flags) {
    if (keyAt(path) === undefined) {
      layer.problems.push(
        unknownKey(
          path,
          name,
          nearest(
            path,
            configKeys.map((entry) => entry.path),
          ),
        ),
      )
      continue
    }
    const read = typeof value === 'string' ? valueOfText(path, value) : value
    layer.settings.set(path, { value: read, origin: { kind: 'flag', name } })
  }
  return layer
}

/**
 * Variables that Kubernetes sets in every pod for a Service called `interceptor` or `interceptor-…`; they are no
 * configuration. https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
 */
const SERVICE_VARIABLE = /_SERVICE_(HOST|PORT)(_\w+)?$|_PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$/

/** Names the configuration file; no key of its own. */
export const CONFIG_FILE_VARIABLE = 'INTERCEPTOR_CONFIG'

/** The layer of INTERCEPTOR_* variables. An empty variable of a list is an empty list; others take it as empty text. */
export function environmentLayer(env: NodeJS.ProcessEnv): Layer {
  const layer: Layer = { settings: new Map(), problems: [] }
  for (const [name, text = ''] of Object.entries(env)) {
    if (!name.startsWith('INTERCEPTOR_') || name === CONFIG_FILE_VARIABLE) continue
    const known = keyOfEnvironment(name)
    if (known !== undefined) {
      const value = valueOfText(known.path, text)
      layer.settings.set(known.path, { value, origin: { kind: 'environment', name } })
    } else if (!SERVICE_VARIABLE.test(name)) {
      const guess = nearest(
        name,
        configKeys.map((entry) => entry.environment),
      )
      layer.problems.push(unknownKey(name, 'environment', guess))
    }
  }
  return layer
}

/** The layer of a YAML file. A file that cannot be read or parsed is a problem of the layer. */
export function fileLayer(path: string): Layer {
  const layer: Layer = { settings: new Map(), problems: [] }
  try {
    readYaml(path, readFileSync(path, 'utf8'), layer)
  } catch (error) {
    layer.problems.push(`cannot read the configuration file ${path}: ${errorText(error)}`)
  }
  return layer
}

function readYaml(path: string, text: string, layer: Layer): void {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const lineOf = (node: unknown): string => {
    const offset = (node as { range?: [number, number, number] } | null)?.range?.[0]
    return offset === undefined ? path : `${path}:${lines.linePos(offset).line}`
  }
  for (const error of document.errors) {
    layer.problems.push(`${path}:${lines.linePos(error.pos[0]).line}: ${error.message}`)
  }
  if (layer.problems.length > 0 || document.contents === null) return
  if (isScalar(document.contents) && document.contents.value === null) return
  visit(document.contents, '')

  function visit(node: unknown, at: string): void {
    if (!isMap(node)) {
      if (isScalar(node) && node.value === null) return
      layer.problems.push(`${at === '' ? 'the file' : at} (${lineOf(node)}) must be a map of keys`)
      return
    }
    for (const item of node.items) {
      if (!isPair(item)) continue
      const inner = at === '' ? String(item.key) : `${at}.${String(item.key)}`
      visitPair(inner, item.key, item.value)
    }
  }

  function visitPair(inner: string, keyNode: unknown, valueNode: unknown): void {
    const where = lineOf(keyNode)
    if (isSection(inner)) {
      visit(valueNode, inner)
    } else if (keyAt(inner) === undefined) {
      layer.problems.push(
        unknownKey(
          inner,
          where,
          nearest(
            inner,
            [...configSections, ...configKeys].map(({ path }) => path),
          ),
        ),
      )
    } else {
      const value = (valueNode as { toJS(document: unknown): unknown } | null)?.toJS(document) ?? null
      if (value !== null) layer.settings.set(inner, { value, origin: { kind: 'file', name: where } })
    }
  }
}
