/** Route templates: paths in which the parts that identify one object are replaced by a name. */

/** How a part of a path identifies an object. */
export type PartKind = 'integer' | 'uuid' | 'date' | 'hash' | 'token' | 'email'

const KINDS: readonly (readonly [kind: PartKind, pattern: RegExp])[] = [
  ['integer', /^-?\d{1,20}$/],
  ['uuid', /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i],
  ['date', /^\d{4}-[01]\d-[0-3]\d(T[\d:.]+(Z|[+-][\d:]+)?)?$/],
  // Hexadecimal digests and object ids, ULIDs.
  ['hash', /^(?=.*\d)([0-9a-f]{16,128}|[0-9a-hjkmnp-tv-z]{26})$/i],
  // Digests cut to eight digits or more. Letters between digits: `cafe2026` is a name.
  ['hash', /^(?=\d*[a-f]+\d+[a-f]|[a-f]*\d+[a-f]+\d)[0-9a-f]{8,15}$/],
  // Random base-62 texts such as KSUIDs, and those behind a prefix as in `cus_NffrFeUfNV2Hib`.
  ['token', /^(?=[0-9A-Za-z]{20,128}$)(?=.*[a-z])(?=.*[A-Z])(?:.*(?:[A-Za-z]\d|\d[A-Za-z])){2}/],
  ['token', /^[a-z]{2,10}_(?=[0-9A-Za-z]{14,128}$)(?=.*\d)(?=.*[a-z])(?=.*[A-Z])/],
  ['email', /^(?=.{6,254}$)[^@\s]+@[^@\s]+\.[a-z]{2,}$/i],
]

/** A path with its variable parts. */
export interface RouteTemplate {
  /** `/orders/{id}/items/{id}` */
  readonly path: string
  /** The kinds of the variable parts, in order. */
  readonly kinds: readonly PartKind[]
}

/** Longest path that becomes a template; the rest of a longer one is left out. */
const MOST_LENGTH = 512
/** Longest segment of a template; the rest of a longer one is left out. */
const MOST_SEGMENT = 80

/**
 * Replaces numbers, UUIDs, dates, hashes, random tokens and e-mail addresses in a path by `{id}`: as a whole segment, as the
 * value of a matrix parameter (`;id=42`), or before a file name's extension (`42.json`).
 *
 * @param path without query, see requestPath
 */
export function routeTemplate(path: string): RouteTemplate {
  const kinds: PartKind[] = []
  const shown = path.length > MOST_LENGTH ? `${path.slice(0, MOST_LENGTH)}…` : path
  const segments = shown.split('/').map((segment) => {
    const parts = segment.split(';').map((part, index) => {
      const name = index === 0 ? '' : part.slice(0, part.indexOf('=') + 1)
      return name + replaced(part.slice(name.length), kinds)
    })
    return cut(parts.join(';'))
  })
  return { path: segments.join('/'), kinds }
}

/** @param kinds receives the kind of what was replaced */
function replaced(part: string, kinds: PartKind[]): string {
  const extension = /\.[a-z][a-z\d]{0,4}$/i.exec(part)?.[0] ?? ''
  for (const rest of extension === '' ? [''] : ['', extension]) {
    const kind = kindOf(part.slice(0, part.length - rest.length))
    if (kind === undefined) continue
    kinds.push(kind)
    return `{id}${rest}`
  }
  return part
}

function kindOf(part: string): PartKind | undefined {
  // Each kind has one of these; most segments do not.
  if (!/[\d@]/.test(part)) return undefined
  const text = decoded(part)
  return KINDS.find(([, pattern]) => pattern.test(text))?.[0]
}

/** `2026-11-23T10%3A00%3A00Z` is a date too. */
function decoded(part: string): string {
  if (!part.includes('%')) return part
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

const cut = (segment: string): string =>
  segment.length > MOST_SEGMENT ? `${segment.slice(0, MOST_SEGMENT)}…` : segment
