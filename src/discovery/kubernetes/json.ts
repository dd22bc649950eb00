/** Reads untrusted JSON: a missing value, or one of another type, reads as empty. Nothing here throws. */

export type JsonObject = Readonly<Record<string, unknown>>

const NOTHING: JsonObject = Object.freeze({})

/** The value as an object; an empty object when it is not one. */
export const asObject = (value: unknown): JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : NOTHING

/** A member that is an object; an empty object when it is not one. */
export const objectAt = (object: JsonObject, name: string): JsonObject => asObject(object[name])

/** A member that is a list; empty when it is not one. */
export const listAt = (object: JsonObject, name: string): readonly unknown[] => {
  const value = object[name]
  return Array.isArray(value) ? value : []
}

/** A member that is a text; empty when it is not one. */
export const textAt = (object: JsonObject, name: string): string => {
  const value = object[name]
  return typeof value === 'string' ? value : ''
}

/** The members whose values are text. */
export const textsOf = (object: JsonObject): Record<string, string> => {
  const texts: Record<string, string> = {}
  for (const [name, value] of Object.entries(object)) if (typeof value === 'string') texts[name] = value
  return texts
}

/** An RFC 3339 time in microseconds since the Unix epoch; null: missing or invalid. */
export function microsAt(object: JsonObject, name: string): number | null {
  const ms = Date.parse(textAt(object, name))
  return Number.isNaN(ms) ? null : ms * 1000
}
