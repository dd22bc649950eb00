/** Route templates: paths in which the parts that identify one thing are replaced by a name. */

/** What a part of a path identifies a thing by. */
export type PartKind = 'integer' | 'uuid' | 'date' | 'hash'

const KINDS: readonly (readonly [kind: PartKind, pattern: RegExp])[] = [
  ['integer', /^\d{1,20}$/],
  ['uuid', /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i],
  ['date', /^\d{4}-[01]\d-[0-3]\d(T[\d:.]+(Z|[+-][\d:]+)?)?$/],
  // Hexadecimal digests and object ids, ULIDs.
  ['hash', /^(?=.*\d)([0-9a-f]{16,128}|[0-9a-hjkmnp-tv-z]{26})$/i],
]

/** A path with its variable parts. */
export interface RouteTemplate {
  /** `/orders/{id}/items/{id}` */
  readonly path: string
  /** The variable parts in order: their kinds and values. */
  readonly parts: readonly { kind: PartKind; value: string }[]
}

/** Longest path that becomes a template; the rest of a longer one is left out. */
const MOST_LENGTH = 512

/** Replaces numbers, UUIDs, hashes and dates in a path by `{id}`. @param path without query, see requestPath */
export function routeTemplate(path: string): RouteTemplate {
  const parts: { kind: PartKind; value: string }[] = []
  const shown = path.length > MOST_LENGTH ? `${path.slice(0, MOST_LENGTH)}…` : path
  const segments = shown.split('/').map((segment) => {
    const kind = KINDS.find(([, pattern]) => pattern.test(segment))?.[0]
    if (kind === undefined) return segment
    parts.push({ kind, value: segment })
    return '{id}'
  })
  return { path: segments.join('/'), parts }
}
