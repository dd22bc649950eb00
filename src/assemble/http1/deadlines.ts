import type { Exchange } from './connection.ts'

/** A list of waiting exchanges, ordered by the packet time at which their waiting began. */
export class Deadlines {
  #soonest: Exchange | null = null
  #latest: Exchange | null = null

  /** The exchange that has waited longest. */
  get soonest(): Exchange | null {
    return this.#soonest
  }

  /** @param micros when the waiting began */
  add(exchange: Exchange, micros: number): void {
    if (exchange.listed) this.remove(exchange)
    exchange.listed = true
    exchange.listedMicros = micros
    exchange.sooner = this.#latest
    exchange.later = null
    if (this.#latest !== null) this.#latest.later = exchange
    else this.#soonest = exchange
    this.#latest = exchange
  }

  remove(exchange: Exchange): void {
    if (!exchange.listed) return
    exchange.listed = false
    if (exchange.sooner !== null) exchange.sooner.later = exchange.later
    else this.#soonest = exchange.later
    if (exchange.later !== null) exchange.later.sooner = exchange.sooner
    else this.#latest = exchange.sooner
    exchange.sooner = null
    exchange.later = null
  }
}
