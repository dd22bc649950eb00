/** Prints the effective configuration as YAML that can be read back, each value with its origin. */
import { Document } from 'yaml'
import { type ConfigKey, configKeys } from './keys.ts'
import type { Origin } from './layers.ts'
import type { LoadedConfig } from './load.ts'
import type { Config } from './schema.ts'
import { formatDuration, formatSize } from './units.ts'

/**
 * Prints every key as YAML, with its origin as a comment and durations and sizes with units. The result contains no
 * secrets: passwords and private keys are in files, of which the configuration has only the names.
 */
export function printConfig({ config, origins }: LoadedConfig): string {
  const document = new Document({})
  for (const key of configKeys) {
    const origin = origins.get(key.path)
    const node = document.createNode(asWritten(key, valueAt(config, key.path), origin), { flow: true })
    node.comment = origin === undefined || origin.name === 'default' ? ' default' : ` from ${origin.name}`
    document.setIn(key.path.split('.'), node)
  }
  return document.toString({ lineWidth: 0, flowCollectionPadding: false })
}

const valueAt = (config: Config, path: string): unknown =>
  path.split('.').reduce<unknown>((at, name) => (at as Record<string, unknown>)[name], config)

function asWritten(key: ConfigKey, value: unknown, origin: Origin | undefined): unknown {
  if (origin?.name === 'default') return key.fallback
  if (key.kind === 'duration') return formatDuration(value as number)
  if (key.kind !== 'size') return value
  const text = formatSize(value as number)
  return /^\d+$/.test(text) ? Number(text) : text
}
