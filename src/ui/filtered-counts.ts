/**
 * The counts of the pairs that a page's filter selects. A filter is evaluated once on each pair: first on those that are
 * held, then, whenever the counts are requested, on those that have arrived since. Main thread.
 */
import { readPair } from '../pair/unpack.ts'
import type { PairSelector } from '../select/selector.ts'
import { PairCounts } from './pair-counts.ts'
import type { UiTraffic } from './traffic.ts'

/** How long a filter may be evaluated before the event loop runs again. */
const SLICE_MS = 20
/**
 * Number of filters whose counts are kept. While a filter is typed, each pause creates one. The least recently used one
 * is evicted.
 */
const MOST_FILTERS = 4

/** The counts of the filters that pages use. */
export class FilteredCounts {
  readonly #traffic: UiTraffic
  readonly #filters = new Map<string, OneFilter>()

  constructor(traffic: UiTraffic) {
    this.#traffic = traffic
  }

  /**
   * The counts of a filter, as of now.
   *
   * @param name distinguishes filters
   * @param create creates the filter's selector if its counts are not kept; null: it selects every pair
   */
  async of(name: string, create: () => Promise<PairSelector | null>): Promise<PairCounts> {
    const filter = this.#filters.get(name) ?? (await this.#begin(create))
    if (filter === null) return this.#traffic.counts
    this.#filters.delete(name)
    this.#filters.set(name, filter)
    const [oldest] = this.#filters.size > MOST_FILTERS ? this.#filters.keys() : []
    if (oldest !== undefined) this.#filters.delete(oldest)
    return filter.update()
  }

  async #begin(create: () => Promise<PairSelector | null>): Promise<OneFilter | null> {
    const selector = await create()
    return selector === null ? null : new OneFilter(this.#traffic, selector)
  }
}

class OneFilter {
  readonly #traffic: UiTraffic
  readonly #selector: PairSelector
  readonly #counts: PairCounts
  /** The pair that is evaluated next. */
  #next = 0
  #updating: Promise<void> | null = null

  constructor(traffic: UiTraffic, selector: PairSelector) {
    this.#traffic = traffic
    this.#selector = selector
    this.#counts = new PairCounts(traffic.names)
  }

  /** Evaluates the filter on the pairs that have arrived so far. */
  async update(): Promise<PairCounts> {
    this.#updating ??= this.#evaluate().finally(() => {
      this.#updating = null
    })
    await this.#updating
    return this.#counts
  }

  async #evaluate(): Promise<void> {
    const { store } = this.#traffic
    const end = store.next
    let sliceEndMs = performance.now() + SLICE_MS
    while (this.#next < end) {
      this.#evaluateNext()
      if (this.#next % 16 !== 0 || performance.now() < sliceEndMs) continue
      await new Promise((resolve) => setImmediate(resolve))
      sliceEndMs = performance.now() + SLICE_MS
    }
  }

  #evaluateNext(): void {
    const { store } = this.#traffic
    if (this.#next < store.first) {
      this.#counts.missed += store.first - this.#next
      this.#next = store.first
    }
    const held = store.get(this.#next)
    this.#next += 1
    const pair = held === undefined ? null : readPair(held.bytes)
    if (pair === null || pair instanceof Error) return
    if (this.#selector.selectsPair(pair)) this.#counts.add(pair)
    else this.#counts.pass(pair)
  }
}
