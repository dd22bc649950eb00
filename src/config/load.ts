/** Merges the layers: flags > environment > file > defaults. Reports all problems in one error. */
import type { z } from 'zod'
import { type InterceptorError, usageError } from '../errors.ts'
import { impossibleCombinations } from './combinations.ts'
import { configFilePath } from './file-path.ts'
import { configKeys, keyAt } from './keys.ts'
import { environmentLayer, type FlagValue, flagLayer, type Layer, type Origin, type Setting } from './layers.ts'
import { setNodeName } from './node-name.ts'
import { type Config, configSchema } from './schema.ts'
import { fileLayer } from './yaml-file.ts'

/** The effective configuration, and the origin of each value by its dotted path. */
export interface LoadedConfig {
  readonly config: Config
  readonly origins: ReadonlyMap<string, Origin>
}

/** The sources of a configuration. */
export interface ConfigSources {
  /** A YAML file. Default: the one that INTERCEPTOR_CONFIG names, if any. */
  file?: string | undefined
  /** Default: the environment of this process. */
  env?: NodeJS.ProcessEnv
  /** Values from the command line; the last value of a key wins. */
  flags?: readonly FlagValue[]
  /** `--all`: the rules of `filter` do not apply, except for `filter.include`. Default: false. */
  all?: boolean
}

/**
 * Loads the effective configuration of a run.
 *
 * @throws InterceptorError (EXIT_USAGE) that lists every problem: unknown keys with the nearest known one, invalid values
 *   with the accepted forms, and combinations that cannot work
 */
export function loadConfig(sources: ConfigSources = {}): LoadedConfig {
  const env = sources.env ?? process.env
  const file = configFilePath(sources.file, env)
  const layers = [file === undefined ? null : fileLayer(file), environmentLayer(env), flagLayer(sources.flags ?? [])]
  const present = layers.filter((layer) => layer !== null)
  const settings = merge(present)
  const parsed = configSchema.safeParse(nest(settings))
  const problems = present.flatMap((layer) => layer.problems)
  if (parsed.error !== undefined) problems.push(...parsed.error.issues.map((issue) => describe(issue, settings)))
  if (parsed.data !== undefined && problems.length === 0) {
    problems.push(...impossibleCombinations(parsed.data, sources.all === true))
  }
  if (parsed.data === undefined || problems.length > 0) throw problemsError(problems)
  const origins = originsOf(settings)
  setNodeName(parsed.data, origins, env)
  return { config: parsed.data, origins }
}

/** The configuration with all defaults. */
export const defaultConfig = (): Config => loadConfig({ env: {} }).config

function merge(layers: Layer[]): Map<string, Setting> {
  const merged = new Map<string, Setting>()
  for (const layer of layers) for (const [path, setting] of layer.settings) merged.set(path, setting)
  return merged
}

interface Tree {
  [name: string]: unknown
}

function nest(settings: Map<string, Setting>): Tree {
  const root: Tree = {}
  for (const [path, { value }] of settings) {
    const names = path.split('.')
    const leaf = names.pop()!
    let at = root
    for (const name of names) {
      at[name] ??= {}
      at = at[name] as Tree
    }
    at[leaf] = value
  }
  return root
}

function describe(issue: z.core.$ZodIssue, settings: Map<string, Setting>): string {
  const path = keyPath(issue.path)
  const setting = settings.get(path)
  const inner = issue.path.slice(path.split('.').length)
  const value = inner.reduce<unknown>(
    (at, part) => (at as Record<PropertyKey, unknown> | undefined)?.[part],
    setting?.value,
  )
  const place = inner.some((part) => typeof part === 'string') ? `, ${inner.join('.')}` : ''
  const origin = setting === undefined ? '' : ` (${setting.origin.name})`
  return `${path}${place}: ${JSON.stringify(value)} ${issue.message}${origin}`
}

/** The key that an issue is about: the longest prefix of its path that is one. */
function keyPath(path: readonly PropertyKey[]): string {
  const names = path.map(String)
  for (let length = names.length; length > 0; length -= 1) {
    const prefix = names.slice(0, length).join('.')
    if (keyAt(prefix) !== undefined) return prefix
  }
  return names.join('.')
}

function problemsError(problems: string[]): InterceptorError {
  const hint = 'docs/configuration.md lists every key; so does interceptor config print.'
  if (problems.length === 1) return usageError(`configuration: ${problems[0]}`)
  const lines = problems.map((problem) => `  - ${problem}`)
  return usageError(`configuration: ${problems.length} problems\n${lines.join('\n')}`, { hint })
}

function originsOf(settings: Map<string, Setting>): Map<string, Origin> {
  const origins = new Map<string, Origin>()
  for (const { path } of configKeys) {
    origins.set(path, settings.get(path)?.origin ?? { kind: 'default', name: 'default' })
  }
  return origins
}
