/**
 * Turns messages into exchanges: decides how a message ends, stores what must wait, asks the rules as soon as their answer
 * is known, finds the request that a response answers, and hands whole or hopeless exchanges to `Outcomes`.
 */

import { ASSEMBLE_COUNTERS } from '../../ledger/counters.ts'
import {
  ORPHANED_COUNTERS,
  REASON_CLOSED,
  REASON_DOUBTFUL,
  REASON_EVICTED,
  REASON_GAP,
  REASON_OVERSIZE,
  REASON_TIMEOUT,
  RULE_NONE,
  RULE_PAIR_BYTES,
  RULE_VANTAGE,
} from '../../ledger/reasons.ts'
import type { MessageWriter } from '../encode/message-writer.ts'
import { STAGE_AT } from '../encode/pair-writer.ts'
import type { Filter } from '../filter.ts'
import {
  CODING_CHUNKED,
  CODING_NONE,
  LENGTH_ABSENT,
  LENGTH_INVALID,
  METHOD_CONNECT,
  METHOD_HEAD,
} from '../head-scanner/layout.ts'
import type { Arena } from '../memory/arena.ts'
import { BLOCK_BYTES, type BlockPool } from '../memory/block-pool.ts'
import type { PacketTime } from '../packet-time.ts'
import { type Flow, PROTOCOL_OPAQUE } from '../tcp/flow.ts'
import { LEAVE_OUT, type Vantages } from '../vantage/vantage.ts'
import type { HttpConnection } from './connection.ts'
import { HeadDigest } from './digest.ts'
import type { Exchange, MessageRecord } from './exchange.ts'
import type { MessageHead } from './message-head.ts'
import { expectChunked, expectCounted, expectToClose, type MessageHandler } from './message-parser.ts'
import { HEAD, type MessageStream, OPAQUE, SEEK } from './message-stream.ts'
import type { ExchangeLimits, Outcomes } from './outcomes.ts'
import { abandonQueue, enqueue, match } from './pairing.ts'
import type { Position } from './position.ts'

/** Requests one connection may have outstanding. At the bound all are abandoned (`evicted`) and a new epoch begins. */
const QUEUE_LENGTH = 4096

const C = ASSEMBLE_COUNTERS.index

export class Exchanges implements MessageHandler {
  readonly #arena: Arena
  readonly #pool: BlockPool
  readonly #time: PacketTime
  readonly #head: MessageHead
  readonly #filter: Filter
  readonly #messages: MessageWriter
  readonly #outcomes: Outcomes
  readonly #limits: ExchangeLimits
  readonly #counts: Float64Array
  readonly #digest: HeadDigest
  readonly #at: Position
  readonly #vantages: Vantages

  constructor(parts: {
    arena: Arena
    pool: BlockPool
    time: PacketTime
    head: MessageHead
    filter: Filter
    messages: MessageWriter
    outcomes: Outcomes
    limits: ExchangeLimits
    counts: Float64Array
    position: Position
    vantages: Vantages
  }) {
    this.#arena = parts.arena
    this.#pool = parts.pool
    this.#time = parts.time
    this.#head = parts.head
    this.#filter = parts.filter
    this.#messages = parts.messages
    this.#digest = new HeadDigest(parts.arena)
    this.#outcomes = parts.outcomes
    this.#limits = parts.limits
    this.#counts = parts.counts
    this.#at = parts.position
    this.#vantages = parts.vantages
  }

  head(stream: MessageStream, start: number, headEnd: number, bodyStart: number, end: number): number {
    this.#recognise(stream.connection)
    return stream.isResponse
      ? this.#responseHead(stream, start, headEnd, bodyStart, end)
      : this.#requestHead(stream, start, headEnd, bodyStart, end)
  }

  body(stream: MessageStream, at: number, end: number): void {
    const exchange = stream.exchange
    if (exchange === null) return
    if (stream.wireBytes > this.#limits.messageBytes) this.#outcomes.abandon(exchange, REASON_OVERSIZE)
    if (exchange.abandoned || exchange.rule !== RULE_NONE) return
    const record = stream.isResponse ? exchange.response : exchange.request
    const other = stream.isResponse ? exchange.request : exchange.response
    if (stream.wireBytes + other.wireBytes > this.#limits.pairBytes) this.#outcomes.leaveOut(exchange, RULE_PAIR_BYTES)
    else if (!this.#pool.append(record.chain, at, end - at)) this.#outcomes.abandon(exchange, REASON_EVICTED)
  }

  complete(stream: MessageStream, seq: number): void {
    const exchange = stream.exchange
    if (stream.isResponse) stream.connection.answered(this.#at.ack)
    stream.exchange = null
    if (exchange === null) return
    const record = stream.isResponse ? exchange.response : exchange.request
    this.#record(record, stream, seq)
    if (record.wireBytes > this.#limits.messageBytes) this.#outcomes.abandon(exchange, REASON_OVERSIZE)
    if (stream.isResponse) {
      exchange.responseOpen = false
      exchange.responseDone = true
    } else {
      exchange.requestOpen = false
      exchange.requestDone = true
      exchange.ackLast = this.#at.ack
    }
    if (exchange.abandoned) this.#outcomes.settle(exchange)
    else if (exchange.requestDone && exchange.responseDone) this.#conclude(exchange)
    else if (!exchange.responseBegun) this.#outcomes.awaitFrom(exchange, this.#time.start)
  }

  damaged(stream: MessageStream, reason: number): void {
    if (stream.exchange !== null) this.#outcomes.abandon(stream.exchange, reason)
  }

  lost(stream: MessageStream, reason: number): void {
    this.#letGo(stream, reason)
    const connection = stream.connection
    this.#doubt(connection)
    // A head that long is one: only its length is at fault.
    if (reason === REASON_OVERSIZE) this.#recognise(connection)
    if (stream.isResponse) connection.responseDoubt = true
    else connection.doubtRequests(stream.lastAck, stream.ackKnown)
  }

  /**
   * A stream of the connection has ended, and the parser with it.
   *
   * @param reason why what is still incomplete is given up
   */
  ended(stream: MessageStream, reason: number): void {
    this.#letGo(stream, reason)
    if (!stream.isResponse) return
    this.#settleUnconfirmed(stream.connection, reason === REASON_CLOSED)
    abandonQueue(stream.connection, this.#outcomes, reason)
  }

  /** The connection carries something else from here on. */
  becomeOpaque(connection: HttpConnection, reason: number): void {
    this.ended(connection.requests, reason)
    this.ended(connection.responses, reason)
    connection.requests.state = OPAQUE
    connection.responses.state = OPAQUE
  }

  /** Gives up requests that have waited too long. */
  expire(): void {
    const time = this.#time
    const { responseTimeoutMicros } = this.#limits
    for (;;) {
      const exchange = this.#outcomes.longestWaiting
      if (exchange === null) return
      if (time.isStray(exchange.listedMicros)) {
        this.#outcomes.awaitFrom(exchange, time.clock)
        continue
      }
      if (time.clock - exchange.listedMicros <= responseTimeoutMicros) return
      this.#outcomes.awaited(exchange)
      if (exchange.connection?.confirming === exchange) this.#settleUnconfirmed(exchange.connection, false)
      else this.#outcomes.abandon(exchange, REASON_TIMEOUT)
    }
  }

  #recognise(connection: HttpConnection): void {
    if (connection.recognised) return
    connection.recognised = true
    this.#counts[C.protocolHttp1]++
  }

  #requestHead(stream: MessageStream, start: number, headEnd: number, bodyStart: number, end: number): number {
    const connection = stream.connection
    const head = this.#head
    this.#counts[C.requests]++
    this.#counts[C.requestsWaiting]++
    this.#resolve(connection, this.#at.headAck)
    const exchange = this.#outcomes.begin(connection)
    const request = exchange.request
    this.#recordHead(request, start, headEnd)
    exchange.ackFirst = this.#at.headAck
    exchange.ackLast = this.#at.ack
    exchange.method = head.method
    exchange.contentTypeListed = head.contentTypeListed
    exchange.rule = head.rule
    if (exchange.rule === RULE_NONE) {
      exchange.rule = this.#filter.target(this.#arena.bytes, head.secondStart, head.secondEnd)
    }
    const flow = connection.flow as Flow
    if (flow.hostPending) this.#judgeHost(flow)
    if (exchange.rule === RULE_NONE) exchange.rule = flow.rule
    exchange.requestOpen = true
    stream.exchange = exchange
    enqueue(connection, exchange)
    if (connection.queued > QUEUE_LENGTH) {
      abandonQueue(connection, this.#outcomes, REASON_EVICTED)
      connection.responseDoubt = true
    }
    const chunked = head.coding === CODING_CHUNKED
    const length = head.contentLength === LENGTH_ABSENT ? 0 : head.contentLength
    if (!chunked && (head.coding !== CODING_NONE || length === LENGTH_INVALID)) return this.#unknowable(stream, end)
    this.#announce(exchange, request, chunked ? 0 : length)
    this.#store(exchange, request, false)
    if (chunked) expectChunked(stream)
    else if (length > 0) expectCounted(stream, length)
    else this.complete(stream, this.#at.seqAt(bodyStart))
    return bodyStart
  }

  /** The first request of a connection whose server a sidecar hides: its Host tells whether it is inside the cluster. */
  #judgeHost(flow: Flow): void {
    if (this.#vantages.judgeHost(flow, this.#head.hostField()) === LEAVE_OUT) flow.rule = RULE_VANTAGE
  }

  #responseHead(stream: MessageStream, start: number, headEnd: number, bodyStart: number, end: number): number {
    const connection = stream.connection
    const head = this.#head
    const interim = head.status < 200 && head.status !== 101
    this.#refute(connection)
    const exchange = match(connection, this.#at.headSeq, this.#at.headAck, interim, this.#outcomes, REASON_GAP)
    if (interim) {
      this.#counts[C.interim]++
      stream.state = HEAD
      return bodyStart
    }
    this.#counts[C.responses]++
    if (exchange === null) return this.#orphan(stream, bodyStart, end)
    stream.exchange = exchange
    const response = exchange.response
    exchange.responseBegun = true
    exchange.responseOpen = true
    exchange.early = !exchange.requestDone
    this.#outcomes.awaited(exchange)
    this.#recordHead(response, start, headEnd)
    const waited = exchange.requestDone ? response.startMicros - exchange.request.endMicros : 0
    if (exchange.abandoned) this.#counts[ORPHANED_COUNTERS[exchange.reason]]++
    else if (waited > this.#limits.responseTimeoutMicros) this.#outcomes.abandon(exchange, REASON_TIMEOUT)
    if (exchange.rule === RULE_NONE) {
      const rule = this.#filter.response(head.status, exchange.contentTypeListed || head.contentTypeListed)
      if (rule !== RULE_NONE) this.#outcomes.leaveOut(exchange, rule)
    }
    return this.#responseBody(stream, exchange, bodyStart, end)
  }

  /** Decides how the response ends (RFC 9112 §6.3), and emits the pair at once when it ends within the bytes at hand. */
  #responseBody(stream: MessageStream, exchange: Exchange, bodyStart: number, end: number): number {
    const head = this.#head
    const { response } = exchange
    const tunnel = head.status === 101 || (exchange.method === METHOD_CONNECT && head.status < 300)
    const bodiless = tunnel || exchange.method === METHOD_HEAD || head.status === 204 || head.status === 304
    const chunked = !bodiless && head.coding === CODING_CHUNKED
    const length = bodiless ? 0 : head.contentLength
    if (!bodiless && head.coding === CODING_NONE && length === LENGTH_INVALID) return this.#unknowable(stream, end)
    const counted = bodiless || (head.coding === CODING_NONE && length >= 0)
    this.#announce(exchange, response, counted ? length : 0)
    const atHand = counted && length <= end - bodyStart
    if (atHand && !tunnel && exchange.requestDone && !exchange.unconfirmed && this.#kept(exchange)) {
      this.#emitInPlace(stream, exchange, bodyStart, length)
      return bodyStart + length
    }
    this.#store(exchange, response, true)
    if (chunked) expectChunked(stream)
    else if (!counted) expectToClose(stream)
    else if (length > 0) expectCounted(stream, length)
    else this.complete(stream, this.#at.seqAt(bodyStart))
    if (tunnel) this.#tunnel(stream.connection, head.status === 101)
    return bodyStart
  }

  /** A response that belongs to no request we know. It is followed to its end to stay in step. */
  #orphan(stream: MessageStream, bodyStart: number, end: number): number {
    const connection = stream.connection
    const head = this.#head
    const doubt = connection.responseDoubt || connection.first !== null
    this.#counts[doubt ? C.orphanedGap : C.orphanedNoRequest]++
    stream.exchange = null
    if (head.status === 101) this.#tunnel(connection, true)
    else if (head.status === 204 || head.status === 304) this.complete(stream, this.#at.seqAt(bodyStart))
    else if (head.coding === CODING_CHUNKED) expectChunked(stream)
    else if (head.coding !== CODING_NONE || head.contentLength === LENGTH_ABSENT) expectToClose(stream)
    else if (head.contentLength === LENGTH_INVALID) return this.#unknowable(stream, end)
    else if (head.contentLength === 0) this.complete(stream, this.#at.seqAt(bodyStart))
    else {
      expectCounted(stream, head.contentLength)
      stream.lengthUnsure = true
    }
    return bodyStart
  }

  /** The head contradicts itself about its end: the message is given up and the stream's place with it. */
  #unknowable(stream: MessageStream, end: number): number {
    this.damaged(stream, REASON_DOUBTFUL)
    stream.state = SEEK
    this.lost(stream, REASON_DOUBTFUL)
    return end
  }

  /** Lets go of what is too large by its own account, before any of it is stored. */
  #announce(exchange: Exchange, record: MessageRecord, bodyBytes: number): void {
    const wireBytes = record.wireBytes + bodyBytes
    const other = record === exchange.request ? exchange.response : exchange.request
    if (wireBytes > this.#limits.messageBytes) this.#outcomes.abandon(exchange, REASON_OVERSIZE)
    else if (exchange.rule === RULE_NONE && wireBytes + other.wireBytes > this.#limits.pairBytes) {
      this.#outcomes.leaveOut(exchange, RULE_PAIR_BYTES)
    }
  }

  #kept(exchange: Exchange): boolean {
    return !exchange.abandoned && exchange.rule === RULE_NONE
  }

  /** Encodes the head scanned last and stores it. */
  #store(exchange: Exchange, record: MessageRecord, isResponse: boolean): void {
    if (!this.#kept(exchange)) return
    const pool = this.#pool
    const { chain } = record
    let stored: boolean
    if (this.#messages.bound(record.wireBytes, this.#digest.nonAscii) <= BLOCK_BYTES) {
      const block = pool.claim(chain)
      stored = block >= 0
      if (stored) pool.filled(chain, this.#messages.head(block, isResponse) - block)
    } else {
      const start = this.#arena.scratch + STAGE_AT
      stored = pool.append(chain, start, this.#messages.head(start, isResponse) - start)
    }
    if (!stored) this.#outcomes.abandon(exchange, REASON_EVICTED)
  }

  #emitInPlace(stream: MessageStream, exchange: Exchange, bodyStart: number, length: number): void {
    const { response } = exchange
    stream.wireBytes += length
    stream.bodyBytes = length
    stream.exchange = null
    stream.state = HEAD
    stream.connection.answered(this.#at.ack)
    this.#record(response, stream, this.#at.seqAt(bodyStart + length))
    exchange.responseOpen = false
    exchange.responseDone = true
    this.#outcomes.emitInPlace(exchange, bodyStart)
  }

  #conclude(exchange: Exchange): void {
    const { connection } = exchange
    if (!exchange.unconfirmed || connection === null) {
      this.#outcomes.emit(exchange)
      return
    }
    connection.confirming = exchange
    if (connection.first !== null) this.#resolve(connection, connection.first.ackFirst)
    else this.#outcomes.awaitFrom(exchange, this.#time.start)
  }

  /** The client's next request shows whether it had received the answer it waited for, and nothing more. */
  #resolve(connection: HttpConnection, ack: number): void {
    const exchange = connection.confirming
    if (exchange === null) return
    if (exchange.response.endSeq === ack) this.#confirm(connection)
    else this.#refute(connection)
  }

  #confirm(connection: HttpConnection): void {
    const exchange = connection.confirming
    if (exchange === null) return
    connection.confirming = null
    this.#outcomes.awaited(exchange)
    this.#outcomes.emit(exchange)
  }

  /**
   * The client made no further move. That the server ended its stream right after the response proves the match; else
   * it stands if nothing but the connection's beginning is missing.
   */
  #settleUnconfirmed(connection: HttpConnection, proven: boolean): void {
    if (proven || connection.flow?.lossy === false) this.#confirm(connection)
    else this.#doubt(connection)
  }

  /** Another response without another request: the match was one of several outstanding requests. */
  #refute(connection: HttpConnection): void {
    if (connection.confirming === null) return
    connection.pipelining = true
    this.#doubt(connection)
  }

  /** What would have confirmed or refuted the match is lost. */
  #doubt(connection: HttpConnection): void {
    const exchange = connection.confirming
    if (exchange === null) return
    connection.confirming = null
    connection.responseDoubt = true
    this.#outcomes.abandon(exchange, REASON_DOUBTFUL)
  }

  #tunnel(connection: HttpConnection, upgraded: boolean): void {
    this.#counts[upgraded ? C.protocolUpgraded : C.protocolTunnel]++
    this.becomeOpaque(connection, REASON_DOUBTFUL)
    if (connection.flow !== null) connection.flow.protocol = PROTOCOL_OPAQUE
  }

  /** A stream stops in the middle of a message. */
  #letGo(stream: MessageStream, reason: number): void {
    const exchange = stream.exchange
    stream.exchange = null
    if (exchange === null) return
    if (stream.isResponse) exchange.responseOpen = false
    else exchange.requestOpen = false
    this.#outcomes.abandon(exchange, reason)
  }

  #recordHead(record: MessageRecord, start: number, headEnd: number): void {
    const at = this.#at
    const digest = this.#digest
    digest.take(start, headEnd, at.headSeq)
    record.digest1 = digest.word1
    record.digest2 = digest.word2
    record.startSeq = at.headSeq
    record.startMicros = at.headMicros
    record.endMicros = this.#time.micros
    record.wireBytes = headEnd - start
    record.bodyBytes = 0
    record.anomalies = this.#head.anomalies
    this.#counts[C.bytesHttp] += headEnd - start
  }

  #record(record: MessageRecord, stream: MessageStream, endSeq: number): void {
    // The last byte may have been captured before the first: what was lost in between came again.
    record.endMicros = Math.max(record.startMicros, this.#time.micros)
    record.endSeq = endSeq
    this.#counts[C.bytesHttp] += stream.wireBytes - record.wireBytes
    record.wireBytes = stream.wireBytes
    record.bodyBytes = stream.bodyBytes
  }
}
