/**
 * The ends of exchanges: a pair is emitted, or filtered by a rule, or the exchange is abandoned. Every request and
 * response that was counted leaves through exactly one counter here, and its memory returns to the pool.
 */

import { ASSEMBLE_COUNTERS } from '../../ledger/counters.ts'
import {
  ABANDONED_COUNTERS,
  FILTERED_COUNTERS,
  ORPHANED_COUNTERS,
  RULE_INCLUDE,
  RULE_NONE,
  RULE_PAIR_BYTES,
  RULE_SELECTION,
} from '../../ledger/reasons.ts'
import type { Include } from '../../select/include.ts'
import type { PairSelector } from '../../select/selector.ts'
import type { PairWriter } from '../encode/pair-writer.ts'
import type { InterfaceTraffic } from '../interface-traffic.ts'
import type { Arena } from '../memory/arena.ts'
import type { BlockPool } from '../memory/block-pool.ts'
import type { Direction, Flow } from '../tcp/flow.ts'
import type { Exchange, HttpConnection } from './connection.ts'
import { Deadlines, NO_EXCHANGE } from './deadlines.ts'
import { ExchangeTable } from './exchange-table.ts'
import type { ExchangeOwner } from './pairing.ts'

/** Receives complete pairs. */
export interface PairSink {
  /**
   * @param at, length the pair in the arena, valid during the call
   * @param key the connection's hash, @param server the server endpoint's hash
   * @returns false when there was no room and the pair is lost (pairs.dropped.ring)
   */
  emit(at: number, length: number, key: number, server: number, micros: number): boolean
}

export interface ExchangeLimits {
  /** Limits in wire bytes of one message and of both messages of a pair. */
  messageBytes: number
  pairBytes: number
  responseTimeoutMicros: number
  /** Emit the pair of a response whose connection, or the input, ended within its body. */
  incompleteResponses: boolean
}

const C = ASSEMBLE_COUNTERS.index

export class Outcomes implements ExchangeOwner {
  readonly #arena: Arena
  readonly #pool: BlockPool
  readonly #pairs: PairWriter
  readonly #pairBytes: number
  readonly #counts: Float64Array
  readonly #sink: PairSink
  readonly #include: Include
  readonly #selector: PairSelector | null
  readonly #traffic: InterfaceTraffic
  readonly #deadlines = new Deadlines()
  readonly #exchanges = new ExchangeTable((capacity) => this.#deadlines.grow(capacity))
  /** Limit of the exchanges that are objects at the same time (see ExchangeTable). */
  readonly #maxObjects: number
  readonly #activate: (flowIndex: number) => void

  constructor(
    arena: Arena,
    pool: BlockPool,
    pairs: PairWriter,
    limits: ExchangeLimits,
    counts: Float64Array,
    sink: PairSink,
    include: Include,
    selector: PairSelector | null,
    traffic: InterfaceTraffic,
    maxObjects: number,
    activate: (flowIndex: number) => void,
  ) {
    this.#arena = arena
    this.#pool = pool
    this.#pairs = pairs
    this.#pairBytes = limits.pairBytes
    this.#counts = counts
    this.#sink = sink
    this.#include = include
    this.#selector = selector
    this.#traffic = traffic
    this.#maxObjects = maxObjects
    this.#activate = activate
  }

  /** Returns an exchange for a request that begins. */
  begin(connection: HttpConnection): Exchange {
    return this.#exchanges.begin(connection)
  }

  /** Whether the limit of exchanges that are objects is reached. Those of one segment may exceed it. */
  get crowded(): boolean {
    return this.#exchanges.objects >= this.#maxObjects
  }

  /** The exchange that has waited longest for its response or its confirmation. */
  get longestWaiting(): Exchange | null {
    const index = this.#deadlines.soonest
    if (index === NO_EXCHANGE) return null
    if (this.#exchanges.at(index) === null) this.#activate(this.#exchanges.flowIndex(index))
    return this.#exchanges.at(index)
  }

  /** When the waiting of that exchange began; infinite if there is none. */
  get waitingSince(): number {
    const index = this.#deadlines.soonest
    return index === NO_EXCHANGE ? Number.POSITIVE_INFINITY : this.#deadlines.micros(index)
  }

  /** Starts the exchange's deadline at packet time `micros`. */
  startDeadline(exchange: Exchange, micros: number): void {
    this.#deadlines.add(exchange.index, micros)
  }

  /** Ends the exchange's deadline. */
  stopDeadline(exchange: Exchange): void {
    this.#deadlines.remove(exchange.index)
  }

  /** Makes a record of the exchange that waits on an idle connection, if any. @param flow index of its flow */
  park(connection: HttpConnection, flow: number): void {
    if (connection.first !== null) this.#exchanges.park(connection.first, flow)
    connection.first = null
    connection.last = null
    connection.queued = 0
  }

  /** Makes an object of the exchange `index`, which waits on this connection. */
  unpark(connection: HttpConnection, index: number): void {
    const exchange = this.#exchanges.unpark(index, connection)
    exchange.queued = true
    connection.first = exchange
    connection.last = exchange
    connection.queued = 1
  }

  abandon(exchange: Exchange, reason: number): void {
    if (!exchange.abandoned) {
      exchange.abandoned = true
      exchange.reason = reason
      this.#counts[ABANDONED_COUNTERS[reason]]++
      this.#traffic.add(flowOf(exchange).interfaceId, ABANDONED_COUNTERS[reason])
      this.#counts[C.requestsWaiting]--
      if (exchange.responseBegun) this.#counts[ORPHANED_COUNTERS[reason]]++
      this.#deadlines.remove(exchange.index)
      this.#freeMessages(exchange)
    }
    this.settle(exchange)
  }

  /** A rule filters the pair: its messages are parsed to their end, but not stored. */
  filter(exchange: Exchange, rule: number): void {
    exchange.rule = rule
    this.#freeMessages(exchange)
  }

  /** Counts a complete pair and, unless a rule filters it, writes it and passes it to the sink. */
  emit(exchange: Exchange): void {
    const { request, response } = exchange
    const flow = flowOf(exchange)
    if (exchange.rule === RULE_NONE && request.wireBytes + response.wireBytes > this.#pairBytes) {
      exchange.rule = RULE_PAIR_BYTES
    }
    if (this.#filtered(exchange)) return
    let at = this.#pairs.begin(exchange, flow)
    at = this.#pairs.stored(at, request)
    at = this.#pairs.stored(at, response)
    this.#send(exchange, flow, at)
  }

  /** As `emit`, for an unfiltered pair whose response is being parsed: head in the scanner, body at `bodyStart`. */
  emitInPlace(exchange: Exchange, bodyStart: number): void {
    if (this.#filtered(exchange)) return
    const flow = flowOf(exchange)
    let at = this.#pairs.begin(exchange, flow)
    at = this.#pairs.stored(at, exchange.request)
    at = this.#pairs.responseInPlace(at, exchange.response, bodyStart)
    this.#send(exchange, flow, at)
  }

  /** Counts a complete pair that a rule filters. @returns whether one does */
  #filtered(exchange: Exchange): boolean {
    const { request, response } = exchange
    if (exchange.rule === RULE_NONE && !this.#include.latency(response.endMicros - request.startMicros)) {
      exchange.rule = RULE_INCLUDE
    }
    if (exchange.rule === RULE_NONE) return false
    this.#complete(FILTERED_COUNTERS[exchange.rule])
    this.#traffic.add(flowOf(exchange).interfaceId, FILTERED_COUNTERS[exchange.rule])
    this.#retire(exchange)
    return true
  }

  #complete(counter: number): void {
    const counts = this.#counts
    counts[C.pairsAssembled]++
    counts[C.requestsWaiting]--
    counts[counter]++
  }

  #send(exchange: Exchange, flow: Flow, at: number): void {
    const end = this.#pairs.finish(at, exchange, flow)
    const start = this.#arena.scratch
    if (this.#selector !== null && this.#selector.selects(this.#arena.bytes.subarray(start, end)) !== true) {
      this.#complete(FILTERED_COUNTERS[RULE_SELECTION])
      this.#traffic.add(flow.interfaceId, FILTERED_COUNTERS[RULE_SELECTION])
    } else {
      this.#complete(C.pairsKept)
      this.#traffic.addKept(flow.interfaceId, exchange.response.endMicros)
      const server = this.#pairs.serverHash(flow, (1 - flow.clientDirection) as Direction)
      const { startMicros } = exchange.request
      if (!this.#sink.emit(start, end - start, flow.hash, server, startMicros)) {
        this.#counts[C.droppedRing]++
        this.#traffic.add(flow.interfaceId, C.droppedRing)
      }
    }
    this.#retire(exchange)
  }

  #freeMessages(exchange: Exchange): void {
    exchange.free(this.#pool)
  }

  #retire(exchange: Exchange): void {
    this.#freeMessages(exchange)
    exchange.abandoned = true
    this.settle(exchange)
  }

  /** Makes the exchange available for reuse once nothing refers to it. */
  settle(exchange: Exchange): void {
    if (exchange.queued || exchange.requestOpen || exchange.responseOpen) return
    const { connection } = exchange
    if (connection === null || connection.confirming === exchange || connection.contested === exchange) return
    this.#deadlines.remove(exchange.index)
    this.#exchanges.end(exchange)
  }
}

/** An exchange that is neither emitted nor abandoned belongs to an open connection, which belongs to a flow. */
const flowOf = (exchange: Exchange): Flow => exchange.connection?.flow as Flow
