/**
 * The kinds of keys that a configuration has, and how each is written: builders for the leaves of the schema. A leaf knows
 * its default as a user writes it, its bounds, its messages and its description in the reference.
 */
import { z } from 'zod'
import type { ListItem } from './list-items.ts'
import {
  CORES_FORMS,
  CORES_PATTERN,
  DURATION_FORMS,
  DURATION_PATTERN,
  formatDuration,
  formatSize,
  parseCores,
  parseDuration,
  parseSize,
  SIZE_FORMS,
  SIZE_PATTERN,
} from './units.ts'

/** How a key's value is written. Determines how text (environment, flags) is parsed and how values are printed. */
export type KeyKind = 'duration' | 'size' | 'cores' | 'integer' | 'boolean' | 'text' | 'choice' | 'list' | 'rules'

/** The kind of each leaf, by its schema. */
export const keyKinds = z.registry<{ kind: KeyKind }>()

/** A leaf of the configuration: its schema, its default as a user writes it, and its description in the reference. */
export function leaf<S extends z.ZodType>(kind: KeyKind, schema: S, fallback: z.input<S>, description: string) {
  const built = schema.prefault(fallback as never).meta({ description })
  keyKinds.add(built, { kind })
  return built
}

/** A group of keys, which may be left out as a whole. */
export function section<T extends z.ZodRawShape>(description: string, shape: T) {
  return z
    .strictObject(shape)
    .prefault({} as never)
    .meta({ description })
}

/** Milliseconds, from `60s` or a bare number. */
export function duration(fallback: string, description: string, least = 0, most = 86_400_000 * 30) {
  const error = `is not a duration: write ${DURATION_FORMS}`
  const written = z.union(
    [z.number({ error }).int(error).nonnegative(error), z.string().regex(DURATION_PATTERN, error)],
    {
      error,
    },
  )
  const ms = written.transform((value) => (typeof value === 'number' ? value : (parseDuration(value) ?? Number.NaN)))
  const range = z
    .number()
    .min(least, `must be at least ${formatDuration(least)}`)
    .max(most, `must be at most ${formatDuration(most)}`)
  return leaf('duration', ms.pipe(range), fallback, description)
}

/** Bytes, from `64MiB` or a bare number. */
export function size(fallback: string | number, description: string, least: number, most: number) {
  const error = `is not a size: write ${SIZE_FORMS}`
  const written = z.union([z.number({ error }).int(error).nonnegative(error), z.string().regex(SIZE_PATTERN, error)], {
    error,
  })
  const bytes = written.transform((value) => (typeof value === 'number' ? value : (parseSize(value) ?? Number.NaN)))
  const range = z
    .number()
    .min(least, `must be at least ${formatSize(least)}`)
    .max(most, `must be at most ${formatSize(most)}`)
  return leaf('size', bytes.pipe(range), fallback, description)
}

/** CPU cores, from `0.25`, `250m` or a number; 0 is accepted beside the bounds. */
export function cores(fallback: number, description: string, least: number, most: number) {
  const error = `is not a number of cores: write ${CORES_FORMS}`
  const written = z.union([z.number({ error }).nonnegative(error), z.string().regex(CORES_PATTERN, error)], { error })
  const count = written.transform((value) => (typeof value === 'number' ? value : (parseCores(value) ?? Number.NaN)))
  const range = z
    .number()
    .refine((value) => value === 0 || value >= least, `must be 0 or at least ${least}`)
    .max(most, `must be at most ${most}`)
  return leaf('cores', count.pipe(range), fallback, description)
}

/** A whole number within bounds. */
export function integer(fallback: number, description: string, least: number, most: number) {
  const error = `must be a whole number from ${least} to ${most}`
  return leaf('integer', z.number({ error }).int(error).min(least, error).max(most, error), fallback, description)
}

/** true or false. */
export const flag = (fallback: boolean, description: string) =>
  leaf('boolean', z.boolean({ error: 'must be true or false' }), fallback, description)

/** Any text. */
export const text = (fallback: string, description: string) =>
  leaf('text', z.string({ error: 'must be text' }), fallback, description)

/** One of some texts. */
export function choice<const T extends readonly [string, ...string[]]>(
  values: T,
  fallback: T[number],
  description: string,
) {
  const shown = values.map((value) => (value === '' ? '"" (none)' : value)).join(', ')
  return leaf('choice', z.enum(values, { error: `must be one of: ${shown}` }), fallback as never, description)
}

/** A choice whose values may also be written in capitals and with underscores. */
export function choiceInAnyCase<const T extends readonly [string, ...string[]]>(
  values: T,
  fallback: T[number],
  description: string,
) {
  const error = `must be one of: ${values.map((value) => (value === '' ? '"" (none)' : value)).join(', ')}`
  const written = z.string({ error }).transform((value) => value.toLowerCase().replaceAll('_', '-'))
  const built = leaf('choice', written.pipe(z.enum(values, { error })), fallback, description)
  const described = built.meta({ description, examples: [...values] })
  keyKinds.add(described, { kind: 'choice' })
  return described
}

/** A list of texts of one form. Accepts numbers as texts, for YAML lists of bare numbers. */
export function list(fallback: string[], description: string, item: ListItem) {
  const { pattern, error, clean = (text: string) => text, futile = () => null } = item
  const entry = z.union([z.string().regex(pattern, error), z.number().int(error).transform(String)], { error })
  const cleaned = entry
    .transform((text) => clean(text))
    .pipe(
      z.string().superRefine((text, context) => {
        const message = pattern.test(text) ? futile(text) : error
        if (message !== null) context.addIssue({ code: 'custom', message })
      }),
    )
  return leaf('list', z.array(cleaned, { error: 'must be a list' }), fallback, description)
}
