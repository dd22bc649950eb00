/** Everything that is kept of the pairs: the newest of them, and counts of all by route and by who calls whom. Main thread. */
import { GROUPINGS, type Grouping } from '../routes/route-names.ts'
import { RouteTable } from '../routes/route-table.ts'
import { PairStore, type StoreBounds } from './pair-store.ts'
import type { UiState } from './protocol.ts'
import { ServiceMap } from './service-map.ts'
import type { UiSource } from './source.ts'

/** The rate is that of the last period of this length. */
const RATE_MS = 1000

export class UiTraffic {
  readonly store: PairStore
  readonly map = new ServiceMap()
  /** Pairs that the source could not pass on, because they came too fast. */
  notReceived = 0
  readonly #tables = new Map<Grouping, RouteTable>(GROUPINGS.map((by) => [by, new RouteTable(by)]))
  readonly #now: () => number
  #perSecond = 0
  #periodMs: number
  #periodSeen = 0

  /** @param bounds of the store; absent: those of the program @param now milliseconds, monotonic */
  constructor(bounds?: StoreBounds, now = () => performance.now()) {
    this.store = new PairStore(bounds)
    this.#now = now
    this.#periodMs = now()
  }

  /** Adds a pair in its MessagePack or JSON form. @returns false where `raw` is not a pair @throws never */
  add(raw: Uint8Array): boolean {
    const pair = this.store.add(raw)
    if (pair === null) return false
    for (const table of this.#tables.values()) table.add(pair)
    this.map.add(pair)
    return true
  }

  /** The table of a grouping, and the seconds that its rates refer to. */
  routes(by: Grouping): { table: RouteTable; seconds: number } {
    const table = this.#tables.get(by) ?? new RouteTable(by)
    return { table, seconds: table.seconds }
  }

  /** The state of store and source. */
  state({ kind, title, ended, failure }: UiSource): UiState {
    const { next: seen, size: held, heldBytes, foreign } = this.store
    const { pairs: mostPairs, bytes: mostBytes } = this.store.bounds
    const perSecond = ended ? 0 : this.#rate(seen)
    const { notReceived } = this
    const bounds = { mostPairs, mostBytes }
    return { kind, title, ended, failure, seen, held, heldBytes, ...bounds, foreign, notReceived, perSecond }
  }

  #rate(seen: number): number {
    const passedMs = this.#now() - this.#periodMs
    if (passedMs < RATE_MS) return this.#perSecond
    this.#perSecond = ((seen - this.#periodSeen) * 1000) / passedMs
    this.#periodMs += passedMs
    this.#periodSeen = seen
    return this.#perSecond
  }
}
