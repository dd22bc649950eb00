/**
 * Plans a reload: which values of a reloaded configuration take effect at run time. These are `filter.*`, `targets.*`
 * except `targets.procRoot`, and `log.level`. Pure functions; does not load the schema library.
 */
import type { Origin } from './layers.ts'
import type { LoadedConfig } from './load.ts'
import type { Config } from './schema.ts'

/** The effect of a reload. */
export interface ReloadPlan {
  /** The configuration in effect after the reload: new values of keys that can change, old values of the rest. */
  readonly next: LoadedConfig
  /** Dotted paths of values that change now. */
  readonly changed: readonly string[]
  /** Dotted paths of new values that take effect after a restart. */
  readonly needRestart: readonly string[]
}

/** The reloads so far, for metrics and health. */
export interface ReloadState {
  /** Reloads that changed something, changed nothing, and were rejected. */
  readonly applied: number
  readonly unchanged: number
  readonly refused: number
  /** Whether the last reload succeeded; true before the first one. */
  readonly lastSuccessful: boolean
  /** Dotted paths of loaded values that take effect after a restart. */
  readonly needRestart: readonly string[]
}

/** The only place that defines what can change at run time. */
function inEffect(current: Config, loaded: Config): Config {
  return {
    ...current,
    filter: loaded.filter,
    targets: { ...loaded.targets, procRoot: current.targets.procRoot },
    log: loaded.log,
  }
}

/**
 * Plans a reload.
 *
 * @param current  the configuration in effect
 * @param loaded  the configuration just loaded
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

/** Values that stay keep their origin; those of the others are replaced, as lines of the file may have moved. */
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
