/**
 * The layers of the configuration, each a flat map of (path → value). This module reads the environment and the command
 * line, yaml-file.ts the file. Each reports unknown keys with the nearest known one.
 */
import { CONFIG_FILE_VARIABLE } from './file-path.ts'
import { configKeys, keyAt, keyOfEnvironment } from './keys.ts'
import { nearest } from './nearest.ts'
import { yamlParser } from './yaml-parser.ts'

/** The origin of a value. `name` is printed: `interceptor.yaml:12`, `INTERCEPTOR_SHIP_MAX_AGE`, `--brokers`. */
export interface Origin {
  readonly kind: 'default' | 'file' | 'environment' | 'flag'
  readonly name: string
}

/** A value as written, and where it was set. */
export interface Setting {
  readonly value: unknown
  readonly origin: Origin
}

/** The values of one source. */
export interface Layer {
  readonly settings: Map<string, Setting>
  /** One line per problem. */
  readonly problems: string[]
}

/** A value from the command line. Text is parsed by the key's kind; lists are comma-separated. */
export interface FlagValue {
  readonly path: string
  readonly value: string | number | boolean | readonly string[]
  /** The option, such as `--brokers`. */
  readonly name: string
}

/** Describes an unknown key, with the nearest known one. */
export function unknownKey(written: string, where: string, known: readonly string[]): string {
  const guess = nearest(written, known)
  return `unknown key ${written} (${where}): ${guess === null ? 'interceptor config print lists every key' : `did you mean ${guess}?`}`
}

const KNOWN_PATHS = configKeys.map(({ path }) => path)
const KNOWN_VARIABLES = configKeys.map(({ environment }) => environment)

/**
 * Parses text by a key's kind: `true`, `12`, `a,b`. Text of another form is returned unchanged, so that validation
 * reports it.
 */
function valueOfText(path: string, text: string): unknown {
  const kind = keyAt(path)?.kind
  if (kind === 'list') {
    const items = text.split(',').map((item) => item.trim())
    return items.filter((item) => item !== '').map(numberIfExact)
  }
  if (kind === 'rules') return parseRules(text)
  if (kind === 'boolean') return text === 'true' ? true : text === 'false' ? false : text
  return kind === 'integer' ? numberIfExact(text) : text
}

/** Rules are written as YAML, which includes JSON: `[{selector: app=api, interfaces: [lo]}]`. */
function parseRules(text: string): unknown {
  try {
    return yamlParser().parse(text) ?? []
  } catch {
    return text
  }
}

const numberIfExact = (text: string): string | number => (/^(0|[1-9]\d{0,14})$/.test(text) ? Number(text) : text)

/** Reads the layer of the command line. The last value of a key wins. */
export function flagLayer(flags: readonly FlagValue[]): Layer {
  const layer: Layer = { settings: new Map(), problems: [] }
  for (const { path, value, name } of flags) {
    if (keyAt(path) === undefined) {
      layer.problems.push(unknownKey(path, name, KNOWN_PATHS))
      continue
    }
    const read = typeof value === 'string' ? valueOfText(path, value) : value
    layer.settings.set(path, { value: read, origin: { kind: 'flag', name } })
  }
  return layer
}

/**
 * Variables that Kubernetes sets in every pod for a Service named `interceptor` or `interceptor-…`. They are not
 * configuration. https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
 */
const SERVICE_VARIABLE = /_SERVICE_(HOST|PORT)(_\w+)?$|_PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$/

/** Reads the layer of INTERCEPTOR_* variables. An empty variable sets an empty list or an empty text. */
export function environmentLayer(env: NodeJS.ProcessEnv): Layer {
  const layer: Layer = { settings: new Map(), problems: [] }
  for (const [name, text = ''] of Object.entries(env)) {
    if (!name.startsWith('INTERCEPTOR_') || name === CONFIG_FILE_VARIABLE) continue
    const known = keyOfEnvironment(name)
    if (known !== undefined) {
      const value = valueOfText(known.path, text)
      layer.settings.set(known.path, { value, origin: { kind: 'environment', name } })
    } else if (!SERVICE_VARIABLE.test(name)) {
      layer.problems.push(unknownKey(name, 'environment', KNOWN_VARIABLES))
    }
  }
  return layer
}
