/** What the page keeps of the traffic: the newest pairs, and counts of all pairs. Main thread. */

import { PairCounts } from './pair-counts.ts'
import { PairStore, type StoreBounds } from './pair-store.ts'
import type { UiState } from './protocol.ts'
import { ServerNames } from './server-names.ts'
import type { UiSource } from './source.ts'

/** Pairs per second are measured over periods of this length. */
const RATE_MS = 1000

export class UiTraffic {
  readonly store: PairStore
  readonly names = new ServerNames()
  /** Counts of all pairs, including those that are no longer held. */
  readonly counts = new PairCounts(this.names)
  /** Pairs that the source could not pass on, because they arrived too fast. */
  notReceived = 0
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
    this.names.learn(pair)
    this.counts.add(pair)
    return true
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
