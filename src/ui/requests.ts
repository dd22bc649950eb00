/** Routes the page's requests: data about the pairs that are held, and about the run. */
import { createFormat } from '../format/create-format.ts'
import type { OutputFormat, PairFormat } from '../format/output-format.ts'
import { JsonEncoder } from '../pair/to-json.ts'
import { GROUPINGS, type Grouping, SORT_KEYS, type SortKey } from '../routes/route-names.ts'
import type { PairSelector } from '../select/selector.ts'
import { VERSION } from '../version.ts'
import type { FilteredCounts } from './filtered-counts.ts'
import { funnel } from './funnel.ts'
import type { PairCounts } from './pair-counts.ts'
import type { FunnelView, RoutesView } from './protocol.ts'
import type { UiSource } from './source.ts'
import type { UiTraffic } from './traffic.ts'

/** The data from which responses are built. */
export interface UiData {
  readonly traffic: UiTraffic
  readonly filtered: FilteredCounts
  readonly source: UiSource
  /**
   * Creates the selector of a page's filter, whose parameters are named as the options of the command line are.
   *
   * @returns null if it selects every pair
   * @throws InterceptorError (EXIT_USAGE) for a filter that is wrong
   */
  readonly select: (parameters: URLSearchParams) => Promise<PairSelector | null>
}

/** A response with status 200. `name`: the browser saves it as a file of this name. */
export interface UiResponse {
  readonly type: string
  readonly body: string | Uint8Array | Iterable<string>
  readonly name?: string
}

const JSON_TYPE = 'application/json'
const json = (value: unknown): UiResponse => ({ type: JSON_TYPE, body: JSON.stringify(value) })

/** @returns null: the path does not exist, or its pair is no longer held @throws InterceptorError (EXIT_USAGE) for a filter that is wrong */
export async function respond(url: URL, data: UiData): Promise<UiResponse | null> {
  const { traffic, source } = data
  switch (url.pathname) {
    case '/api/state':
      return json(traffic.state(source))
    case '/api/routes':
      return json(await routes(url.searchParams, data))
    case '/api/map':
      return json((await countsOf(url.searchParams, data)).map())
    case '/api/ledger':
      return json(await ledgerView(source))
    case '/api/targets':
      return json(await source.targets())
    case '/api/check':
      await data.select(url.searchParams)
      return json({})
    case '/api/har':
      return { type: JSON_TYPE, body: har(traffic, await data.select(url.searchParams)), name: 'interceptor.har' }
    default:
      return onePair(url.pathname, traffic)
  }
}

async function ledgerView(source: UiSource): Promise<FunnelView> {
  const ledger = await source.ledger()
  return { stages: ledger === null ? null : funnel(ledger) }
}

async function routes(parameters: URLSearchParams, data: UiData): Promise<RoutesView> {
  const by = known(GROUPINGS, parameters.get('by'), 'route') satisfies Grouping
  const sort = known(SORT_KEYS, parameters.get('sort'), 'requests') satisfies SortKey
  return (await countsOf(parameters, data)).routes(by, sort)
}

/** The counts of the pairs that the filter among the parameters selects. */
function countsOf(parameters: URLSearchParams, { filtered, select }: UiData): Promise<PairCounts> {
  const filter = new URLSearchParams(parameters)
  for (const name of ['by', 'sort']) filter.delete(name)
  return filtered.of(filter.toString(), () => select(filter))
}

const known = <T extends string>(names: readonly T[], name: string | null, otherwise: T): T =>
  names.find((one) => one === name) ?? otherwise

const encoder = new JsonEncoder(true)

/** `/api/pairs/17`, `/api/pairs/17/curl`, `/api/pairs/17/har` */
function onePair(path: string, { store }: UiTraffic): UiResponse | null {
  const [, number, form] = /^\/api\/pairs\/(\d{1,15})(?:\/(curl|har))?$/.exec(path) ?? []
  const held = number === undefined ? undefined : store.get(Number(number))
  if (held === undefined) return null
  if (form === 'curl') return { type: 'text/plain; charset=utf-8', body: textOf(format('curl').pair(held.bytes)) }
  if (form === 'har')
    return { type: JSON_TYPE, body: document([held.bytes], format('har')), name: `pair-${number}.har` }
  const encoded = encoder.encode(held.bytes)
  return encoded instanceof Error ? null : { type: JSON_TYPE, body: new Uint8Array(encoded) }
}

const format = (name: OutputFormat): PairFormat =>
  createFormat(name, { decode: true, color: false, width: null, verbose: true, version: VERSION })

const textOf = (piece: string | Uint8Array | Error): string =>
  piece instanceof Error ? '' : typeof piece === 'string' ? piece : Buffer.from(piece).toString()

/** The HAR document of the selected pairs that are held, in pieces. */
function har({ store }: UiTraffic, selector: PairSelector | null): Iterable<string> {
  return document(selected(), format('har'))
  function* selected(): Iterable<Uint8Array> {
    for (let seq = store.first; seq < store.next; seq += 1) {
      const held = store.get(seq)
      if (held !== undefined && (selector === null || selector.selects(held.bytes) === true)) yield held.bytes
    }
  }
}

function* document(pairs: Iterable<Uint8Array>, form: PairFormat): Iterable<string> {
  yield form.begin()
  for (const bytes of pairs) yield textOf(form.pair(bytes))
  yield form.end()
}
