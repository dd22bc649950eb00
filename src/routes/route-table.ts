/**
 * Counts pairs by route, workload, status, client or host: requests, errors, latency quantiles, sizes. Bounded: once there
 * are MOST_GROUPS groups, pairs of further ones count under `other`.
 *
 * Quantiles come from a DDSketch (Masson et al., VLDB 2019): within 1 % of the true value for any distribution.
 */
import { DDSketch } from '@datadog/sketches-js'
import { type Endpoint, headerValue, type Pair } from '../pair/pair.ts'
import { requestPath } from '../select/request-path.ts'
import { HistoryAxis, RateHistory } from './rate-history.ts'
import type { Grouping, SortKey } from './route-names.ts'
import type { RouteHistory, RouteRow } from './route-row.ts'
import { routeTemplate } from './template.ts'

/** The most groups. A group needs about 10 KB. */
const MOST_GROUPS = 1000
/** The group of the pairs whose own group is beyond MOST_GROUPS. */
export const OTHER = 'other'

/** Relative error of quantiles. */
export const QUANTILE_ERROR = 0.01

/** Longer latencies count as this one. Microseconds: it bounds the size of a sketch. */
const LONGEST_MICROS = 1e11

class Group {
  requests = 0
  clientErrors = 0
  serverErrors = 0
  requestBytes = 0
  responseBytes = 0
  readonly latency = new DDSketch({ relativeAccuracy: QUANTILE_ERROR })
  readonly history: RateHistory

  constructor(axis: HistoryAxis) {
    this.history = new RateHistory(axis)
  }

  add({ request, response, requestStartMicros, responseEndMicros }: Pair): void {
    this.requests++
    this.history.add(requestStartMicros)
    if (response.status >= 500) this.serverErrors++
    else if (response.status >= 400) this.clientErrors++
    this.requestBytes += request.bodySize
    this.responseBytes += response.bodySize
    this.latency.accept(Math.min(LONGEST_MICROS, Math.max(1, responseEndMicros - requestStartMicros)))
  }

  row(group: string, seconds: number): RouteRow {
    const quantile = (q: number): number =>
      Math.min(this.latency.getValueAtQuantile(nearestRank(q, this.requests)), this.latency.max) / 1000
    return {
      group,
      requests: this.requests,
      perSecond: this.requests / seconds,
      clientErrors: this.clientErrors,
      serverErrors: this.serverErrors,
      p50Ms: quantile(0.5),
      p95Ms: quantile(0.95),
      p99Ms: quantile(0.99),
      maxMs: this.latency.max / 1000,
      requestBytes: this.requestBytes,
      responseBytes: this.responseBytes,
    }
  }
}

/** Names the group of a pair. */
type GroupOf = (pair: Pair) => string

export class RouteTable {
  readonly #groupOf: GroupOf
  readonly #axis = new HistoryAxis()
  readonly #groups = new Map<string, Group>()
  #firstMicros = Number.POSITIVE_INFINITY
  #lastMicros = 0

  /** @param by one of the groupings, or a function that names the group of a pair */
  constructor(by: Grouping | GroupOf) {
    this.#groupOf = typeof by === 'function' ? by : (pair) => groupOf(pair, by)
  }

  /** Seconds from the first request to the last response, at least 1: the period of the rates. */
  get seconds(): number {
    return Math.max(1, (this.#lastMicros - this.#firstMicros) / 1e6)
  }

  /** Extends the time that rates and histories refer to by a pair that is not counted: a filter did not select it. */
  pass({ requestStartMicros, responseEndMicros }: Pair): void {
    this.#firstMicros = Math.min(this.#firstMicros, requestStartMicros)
    this.#lastMicros = Math.max(this.#lastMicros, responseEndMicros)
    this.#axis.periodOf(requestStartMicros)
  }

  add(pair: Pair): void {
    this.pass(pair)
    this.#group(this.#groupOf(pair)).add(pair)
  }

  /** The groups in order; `other`, if there is one, comes last. */
  rows(sort: SortKey): RouteRow[] {
    return this.#ordered(sort, (name, group) => group.row(name, this.seconds))
  }

  /** The rows, as `rows` returns them, each with its history. */
  histories(sort: SortKey): RouteHistory[] {
    return this.#ordered(sort, (name, group) => ({ ...group.row(name, this.seconds), history: group.history.counts }))
  }

  #ordered<T extends RouteRow>(sort: SortKey, rowOf: (name: string, group: Group) => T): T[] {
    const rows = [...this.#groups].map(([name, group]) => rowOf(name, group))
    const isOther = ({ group }: T): number => (group === OTHER ? 1 : 0)
    return rows.sort((a, b) => isOther(a) - isOther(b) || ORDER[sort](b) - ORDER[sort](a) || compare(a.group, b.group))
  }

  #group(name: string): Group {
    const known = this.#groups.get(name)
    if (known !== undefined) return known
    // The last place is that of `other`.
    const place = this.#groups.size < MOST_GROUPS - 1 ? name : OTHER
    const group = this.#groups.get(place) ?? new Group(this.#axis)
    this.#groups.set(place, group)
    return group
  }
}

/**
 * The library rounds the rank down; people expect the nearest one, so that p99 of three values is the greatest.
 *
 * @returns the library's quantile of the value at rank ⌈q n⌉
 */
const nearestRank = (q: number, n: number): number =>
  n === 1 ? 0 : Math.min(1, (Math.ceil(q * n) - 1 + 1e-9) / (n - 1))

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const ORDER: Readonly<Record<SortKey, (row: RouteRow) => number>> = {
  requests: (row) => row.requests,
  errors: (row) => row.clientErrors + row.serverErrors,
  p50: (row) => row.p50Ms,
  p95: (row) => row.p95Ms,
  p99: (row) => row.p99Ms,
  bytes: (row) => row.requestBytes + row.responseBytes,
}

function groupOf(pair: Pair, by: Grouping): string {
  const { request, response, client, server } = pair
  switch (by) {
    case 'route':
      return `${request.method} ${routeTemplate(requestPath(request.target)).path} ${serverOf(pair)}`
    case 'workload':
      return workloadOf(server) ?? server.address
    case 'status':
      return String(response.status)
    case 'client':
      return workloadOf(client) ?? client.address
    case 'host':
      return headerValue(request, 'host') ?? '-'
  }
}

/** The server's workload, else the host that the request names, else its address. */
function serverOf({ request, server }: Pair): string {
  return workloadOf(server) ?? headerValue(request, 'host') ?? `${server.address}:${server.port}`
}

/** The workload of an end, such as `shop/api`; null: it is no known pod. */
export function workloadOf({ pod }: Endpoint): string | null {
  const name = pod?.workload?.name ?? pod?.name ?? null
  return name === null ? null : `${pod?.namespace ?? '~'}/${name}`
}
