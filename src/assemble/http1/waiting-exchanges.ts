/**
 * Exchanges that wait, for a response or a confirmation: ends those that have waited too long, by packet time, and the one
 * that has waited longest when there is no room.
 */
import { REASON_EVICTED, REASON_TIMEOUT } from '../../ledger/reasons.ts'
import type { PacketTime } from '../packet-time.ts'
import type { Flow } from '../tcp/flow.ts'
import type { Confirmation } from './confirmation.ts'
import type { Exchange, HttpConnection } from './connection.ts'
import type { ExchangeLimits, Outcomes } from './outcomes.ts'
import { unansweredReason } from './pairing.ts'

export class WaitingExchanges {
  readonly #outcomes: Outcomes
  readonly #confirmation: Confirmation
  readonly #time: PacketTime
  readonly #timeoutMicros: number

  constructor(outcomes: Outcomes, confirmation: Confirmation, time: PacketTime, limits: ExchangeLimits) {
    this.#outcomes = outcomes
    this.#confirmation = confirmation
    this.#time = time
    this.#timeoutMicros = limits.responseTimeoutMicros
  }

  /** Ends exchanges that have waited longer than `responseTimeoutMicros`. */
  expire(): void {
    const time = this.#time
    const outcomes = this.#outcomes
    while (time.isStray(outcomes.waitingSince) || time.clock - outcomes.waitingSince > this.#timeoutMicros) {
      const exchange = outcomes.longestWaiting
      if (exchange === null) return
      if (time.isStray(outcomes.waitingSince)) outcomes.startDeadline(exchange, time.clock)
      else this.#end(exchange, REASON_TIMEOUT)
    }
  }

  /** Ends the exchange that has waited longest, for lack of room. @returns false when none waits */
  evictOldest(): boolean {
    const exchange = this.#outcomes.longestWaiting
    if (exchange === null) return false
    this.#end(exchange, REASON_EVICTED)
    return true
  }

  /** The flow of the exchange that has waited longest. */
  get longestWaiting(): Flow | null {
    return this.#outcomes.longestWaiting?.connection?.flow ?? null
  }

  /** Whether there are as many exchanges as may be. */
  get crowded(): boolean {
    return this.#outcomes.crowded
  }

  /** An idle connection becomes a record, and with it the request that waits, if any. @param flow index of its flow */
  park(connection: HttpConnection, flow: number): void {
    this.#outcomes.park(connection, flow)
  }

  /** A connection becomes an object, and with it the exchange `index`, whose request waits. */
  unpark(connection: HttpConnection, index: number): void {
    this.#outcomes.unpark(connection, index)
  }

  /** @param reason a REASON_ value, unless the connection shows a better one */
  #end(exchange: Exchange, reason: number): void {
    const { connection } = exchange
    this.#outcomes.stopDeadline(exchange)
    if (connection === null) return
    if (connection.confirming === exchange) this.#confirmation.settle(connection, false)
    else if (connection.contested === exchange) this.#confirmation.reject(connection)
    else this.#outcomes.abandon(exchange, unansweredReason(connection, exchange, reason))
  }
}
