/**
 * What of a configuration that was read again takes effect while the program runs: the rules of `filter`, the choice of
 * `targets` (but `targets.procRoot`) and `log.level`. Pure, and without the schema library.
 */
import type { Origin } from './layers.ts'
import type { LoadedConfig } from './load.ts'
import type { Config } from './schema.ts'

/** What reading it again comes to. */
export interface ReloadPlan {
  /** In effect from now on: the new values of what can change, the old ones of the rest. */
  readonly next: LoadedConfig
  /** Dotted paths of the values that change now. */
  readonly changed: readonly string[]
  /** Dotted paths of new values that take effect only with a restart. */
  readonly needRestart: readonly string[]
}

/** What has come of reading the configuration again so far, for metrics and health. */
export interface ReloadState {
  /** How often something changed, nothing did, and it could not be used. */
  readonly applied: number
  readonly unchanged: number
  readonly refused: number
  /** true also before the first time. */
  readonly lastSuccessful: boolean
  /** Dotted paths of values that differ from those in effect until the program is started anew. */
  readonly needRestart: readonly string[]
}

/** The one place that says what can change at run time. */
function inEffect(current: Config, loaded: Config): Config {
  return {
    ...current,
    filter: loaded.filter,
    targets: { ...loaded.targets, procRoot: current.targets.procRoot },
    log: loaded.log,
  }
}

/**
 * @param current the configuration in effect
 * @param loaded  the one just read
 */
export function planReload(current: LoadedConfig, loaded: LoadedConfig): ReloadPlan {
  const config = inEffect(current.config, loaded.config)
  const needRestart = differences(config, loaded.config)
  return {
    next: { config, origins: mergeOrigins(current.origins, loaded.origins, new Set(needRestart)) },
    changed: differences(current.config, config),
    needRestart,
  }
}

/** Values that stay keep where they came from; of the others a line of the file may have moved. */
function mergeOrigins(
  current: LoadedConfig['origins'],
  loaded: LoadedConfig['origins'],
  kept: ReadonlySet<string>,
): Map<string, Origin> {
  const merged = new Map(loaded)
  for (const [path, origin] of current) if (kept.has(path)) merged.set(path, origin)
  return merged
}

/** Dotted paths at which two configurations differ, in the order of the schema. */
function differences(left: Config, right: Config): string[] {
  const before = new Map(leaves(left, ''))
  return [...leaves(right, '')].filter(([path, value]) => before.get(path) !== value).map(([path]) => path)
}

/** Values as JSON, by their dotted paths. */
function* leaves(at: object, prefix: string): Iterable<[string, string]> {
  for (const [name, value] of Object.entries(at)) {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) yield* leaves(value, `${prefix}${name}.`)
    else yield [prefix + name, JSON.stringify(value)]
  }
}
