/** The configuration's keys as dotted paths (`ship.maxAge`), derived from the schema. */
import type { z } from 'zod'
import { type KeyKind, keyKinds } from './key-kinds.ts'
import { configSchema } from './schema.ts'

/** A key of the configuration. */
export interface ConfigKey {
  /** `kafka.tls.caFile` */
  readonly path: string
  /** `INTERCEPTOR_KAFKA_TLS_CA_FILE` */
  readonly environment: string
  readonly kind: KeyKind
  readonly description: string
  /** The default, as a user writes it. */
  readonly fallback: unknown
}

/** A section of the configuration. */
export interface ConfigSection {
  readonly path: string
  readonly description: string
}

/** `INTERCEPTOR_SHIP_MAX_AGE` for `ship.maxAge`. */
const environmentName = (path: string): string =>
  `INTERCEPTOR_${path.replaceAll('.', '_').replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')}`.toUpperCase()

interface Definition {
  type: string
  innerType?: z.ZodType & { shape?: Record<string, z.ZodType> }
  defaultValue?: unknown
}

const definition = (schema: z.ZodType): Definition => schema.def as unknown as Definition

function collect(shape: Record<string, z.ZodType>, prefix: string, keys: ConfigKey[], sections: ConfigSection[]): void {
  for (const [name, schema] of Object.entries(shape)) {
    const path = prefix + name
    const description = schema.meta()?.description ?? ''
    const kind = keyKinds.get(schema)?.kind
    if (kind === undefined) {
      sections.push({ path, description })
      collect(definition(schema).innerType?.shape ?? {}, `${path}.`, keys, sections)
    } else {
      keys.push({
        path,
        environment: environmentName(path),
        kind,
        description,
        fallback: definition(schema).defaultValue,
      })
    }
  }
}

function readSchema() {
  const keys: ConfigKey[] = []
  const sections: ConfigSection[] = []
  collect(configSchema.shape, '', keys, sections)
  return { keys, sections }
}

const { keys, sections } = readSchema()

/** Every key, in the order of the schema. */
export const configKeys: readonly ConfigKey[] = keys

/** Every section, in the order of the schema; subsections follow their section. */
export const configSections: readonly ConfigSection[] = sections

const byPath = new Map(keys.map((entry) => [entry.path, entry]))
const byEnvironment = new Map(keys.map((entry) => [entry.environment, entry]))
const sectionPaths = new Set(sections.map((entry) => entry.path))

/** The key at a dotted path; undefined if there is none. */
export const keyAt = (path: string): ConfigKey | undefined => byPath.get(path)
/** The key that an environment variable sets; undefined if there is none. */
export const keyOfEnvironment = (name: string): ConfigKey | undefined => byEnvironment.get(name)
/** Whether a dotted path is a section: `kafka.tls`. */
export const isSection = (path: string): boolean => sectionPaths.has(path)
