/** The current view and its filter. Both are in the address, so that back, reload and bookmarks work. */
import { signal } from '@preact/signals'

/** The views, in the order of the navigation. */
export const VIEWS = ['pairs', 'map', 'endpoints', 'ledger', 'pods'] as const
export type View = (typeof VIEWS)[number]

/** The parameters of a filter, named as the options of the command line. */
export const FILTER_NAMES = [
  'grep',
  'method',
  'status',
  'host',
  'path',
  'namespace',
  'workload',
  'pod',
  'minLatency',
  'where',
] as const
export type FilterName = (typeof FILTER_NAMES)[number]
export type Filter = Readonly<Partial<Record<FilterName, string>>>

export interface Place {
  readonly view: View
  readonly filter: Filter
  /** The pair that is open; null: none. */
  readonly open: number | null
}

function parse(hash: string): Place {
  const [path = '', query = ''] = hash.replace(/^#\//, '').split('?')
  const [name, number] = path.split('/')
  const parameters = new URLSearchParams(query)
  const filter: Partial<Record<FilterName, string>> = {}
  for (const key of FILTER_NAMES) {
    const value = parameters.get(key)
    if (value !== null && value !== '') filter[key] = value
  }
  const view = VIEWS.find((one) => one === name) ?? 'pairs'
  return { view, filter, open: number !== undefined && /^\d+$/.test(number) ? Number(number) : null }
}

/** The query of a filter, for the address and for requests. */
export function queryOf(filter: Filter): string {
  return new URLSearchParams(Object.entries(filter).filter(([, value]) => value !== '')).toString()
}

/** The address of a place. */
export function addressOf({ view, filter, open }: Place): string {
  const query = queryOf(filter)
  return `#/${view}${open === null ? '' : `/${open}`}${query === '' ? '' : `?${query}`}`
}

/** The current place. */
export const place = signal<Place>(parse(location.hash))

addEventListener('hashchange', () => {
  place.value = parse(location.hash)
})

/** Navigates to a place. @param replace the current history entry instead of adding one */
export function go(to: Partial<Place>, { replace = false } = {}): void {
  const next = { ...place.value, ...to }
  const address = addressOf(next)
  if (address === location.hash) return
  if (replace) history.replaceState(null, '', address)
  else history.pushState(null, '', address)
  place.value = next
}

addEventListener('popstate', () => {
  place.value = parse(location.hash)
})

/**
 * Opens the list with additional conditions: a field's new value replaces the old one; expressions are joined with
 * `&&`.
 */
export function narrowTo(more: Filter): void {
  const { filter } = place.value
  const where = joined(filter.where, more.where)
  go({ view: 'pairs', filter: { ...filter, ...more, ...(where === undefined ? {} : { where }) }, open: null })
}

function joined(before = '', more = ''): string | undefined {
  if (before === '' || more === '') return before || more || undefined
  return before === more || before.endsWith(` && (${more})`) ? before : `(${before}) && (${more})`
}
