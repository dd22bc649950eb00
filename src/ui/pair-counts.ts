/** The counts of pairs that the page shows: by route and by the other groupings, and by who calls whom. Bounded. */
import type { Pair } from '../pair/pair.ts'
import { GROUPINGS, type Grouping, type SortKey } from '../routes/route-names.ts'
import { RouteTable } from '../routes/route-table.ts'
import type { RoutesView, ServiceMapView } from './protocol.ts'
import type { ServerNames } from './server-names.ts'
import { ServiceMap } from './service-map.ts'

export class PairCounts {
  /** Pairs that left the store before they could be counted or passed. */
  missed = 0
  readonly #map: ServiceMap
  readonly #tables: ReadonlyMap<Grouping, RouteTable> = new Map(GROUPINGS.map((by) => [by, new RouteTable(by)]))

  /** @param names names of the servers on the map */
  constructor(names: ServerNames) {
    this.#map = new ServiceMap(names)
  }

  add(pair: Pair): void {
    for (const table of this.#tables.values()) table.add(pair)
    this.#map.add(pair)
  }

  /** Extends the time covered, as RouteTable.pass does. */
  pass(pair: Pair): void {
    for (const table of this.#tables.values()) table.pass(pair)
    this.#map.pass(pair)
  }

  /** The table of a grouping, in order. */
  routes(by: Grouping, sort: SortKey): RoutesView {
    const table = this.#tables.get(by)
    return { by, seconds: table?.seconds ?? 0, rows: table?.histories(sort) ?? [], missed: this.missed }
  }

  map(): ServiceMapView {
    return { ...this.#map.view(), missed: this.missed }
  }
}
