/**
 * All exchanges, by index. An exchange is an object while its connection is one, and a record while it only waits on a
 * connection that is a record (see ActiveFlows).
 *
 *     free ──begin──▶ object ⇄ record
 *       ▲               │
 *       └──────end──────┘
 */
import { grownInts } from '../memory/grow.ts'
import { Exchange, type HttpConnection } from './connection.ts'
import { NO_EXCHANGE } from './deadlines.ts'
import { EXCHANGE_TIMES, EXCHANGE_WORDS, flowIndexAt, loadExchange, saveExchange } from './exchange-record.ts'

const FIRST_CAPACITY = 256

export class ExchangeTable {
  /** Exchanges that are objects. */
  objects = 0
  #words = new Int32Array(0)
  #times = new Float64Array(0)
  /** By index: its object, if it is one. */
  readonly #objects: (Exchange | null)[] = []
  readonly #spare: Exchange[] = []
  readonly #free: number[] = []
  readonly #grown: (capacity: number) => void

  /** @param grown called when there is room for more indices */
  constructor(grown: (capacity: number) => void) {
    this.#grown = grown
  }

  /** A new exchange. */
  begin(connection: HttpConnection): Exchange {
    const index = this.#free.pop() ?? this.#grow()
    return this.#object(index, connection)
  }

  /** Frees an exchange to which nothing refers any more. */
  end(exchange: Exchange): void {
    this.#free.push(exchange.index)
    this.#release(exchange)
  }

  /** The object of an exchange; null: it is a record. */
  at(index: number): Exchange | null {
    return this.#objects[index]
  }

  /** Index of the flow of an exchange that is a record. */
  flowIndex(index: number): number {
    return flowIndexAt(this.#words, index * EXCHANGE_WORDS)
  }

  /** Makes a record of an exchange that only waits. @param flow index of its flow */
  park(exchange: Exchange, flow: number): void {
    const { index } = exchange
    saveExchange(exchange, flow, this.#words, index * EXCHANGE_WORDS, this.#times, index * EXCHANGE_TIMES)
    this.#release(exchange)
  }

  /** Makes an object of an exchange that is a record. */
  unpark(index: number, connection: HttpConnection): Exchange {
    const exchange = this.#object(index, connection)
    loadExchange(exchange, this.#words, index * EXCHANGE_WORDS, this.#times, index * EXCHANGE_TIMES)
    return exchange
  }

  #object(index: number, connection: HttpConnection): Exchange {
    const exchange = this.#spare.pop() ?? new Exchange()
    exchange.reset(connection)
    exchange.index = index
    this.#objects[index] = exchange
    this.objects++
    return exchange
  }

  #release(exchange: Exchange): void {
    exchange.connection = null
    exchange.next = null
    this.#objects[exchange.index] = null
    exchange.index = NO_EXCHANGE
    this.#spare.push(exchange)
    this.objects--
  }

  #grow(): number {
    const index = this.#objects.length
    const capacity = this.#words.length / EXCHANGE_WORDS
    this.#objects.push(null)
    if (index < capacity) return index
    const larger = Math.max(FIRST_CAPACITY, capacity + (capacity >> 1))
    this.#words = grownInts(this.#words, larger * EXCHANGE_WORDS, 0)
    const times = new Float64Array(larger * EXCHANGE_TIMES)
    times.set(this.#times)
    this.#times = times
    this.#grown(larger)
    return index
  }
}
