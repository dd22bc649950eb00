/**
 * Builds exchanges from messages: decides how each message ends, applies the filter as soon as a head decides it, finds
 * the request that a response answers, and passes complete or abandoned exchanges to `Outcomes`.
 */

import { ASSEMBLE_COUNTERS } from '../../ledger/counters.ts'
import {
  NO_REASON,
  ORPHANED_COUNTERS,
  REASON_CLOSED,
  REASON_DOUBTFUL,
  REASON_EVICTED,
  REASON_GAP,
  REASON_OVERSIZE,
  REASON_TIMEOUT,
  RULE_NONE,
} from '../../ledger/reasons.ts'
import type { MessageWriter } from '../encode/message-writer.ts'
import type { Filter } from '../filter.ts'
import { ANOMALY_INCOMPLETE, METHOD_OTHER } from '../head-scanner/layout.ts'
import type { InterfaceTraffic } from '../interface-traffic.ts'
import type { Arena } from '../memory/arena.ts'
import type { BlockPool } from '../memory/block-pool.ts'
import type { PacketTime } from '../packet-time.ts'
import { type Flow, PROTOCOL_OPAQUE, PROTOCOL_TUNNEL, TUNNEL_CONNECT } from '../tcp/flow.ts'
import { seqDiff } from '../tcp/seq.ts'
import type { Vantages } from '../vantage/vantage.ts'
import { expectChunked } from './chunked.ts'
import { Confirmation } from './confirmation.ts'
import type { Exchange, HttpConnection, MessageStream } from './connection.ts'
import {
  answersNext,
  clientContinues,
  clientHasContinued,
  headAnswered,
  headOvertaken,
  responseCovered,
} from './contradiction.ts'
import type { MessageHead } from './message-head.ts'
import {
  BODY_CHUNKED,
  BODY_TO_CLOSE,
  BODY_UNKNOWABLE,
  closesAfter,
  opensTunnel,
  requestBody,
  responseBody,
} from './message-length.ts'
import { expectCounted, expectToClose, type MessageHandler } from './message-parser.ts'
import { MessageRecorder } from './message-recorder.ts'
import type { ExchangeLimits, Outcomes } from './outcomes.ts'
import { abandonQueue, enqueue, match, missed, noteInterim, orphanReason } from './pairing.ts'
import type { Position } from './position.ts'
import { RequestRules } from './request-rules.ts'
import { HEAD, HEAD_PART, OPAQUE, SEEK, TO_CLOSE } from './stream-states.ts'
import { WaitingExchanges } from './waiting-exchanges.ts'

/** Limit of unanswered requests of one connection. At the limit all are abandoned (`evicted`). */
const QUEUE_LENGTH = 4096

const C = ASSEMBLE_COUNTERS.index

export class Exchanges implements MessageHandler {
  readonly #time: PacketTime
  readonly #head: MessageHead
  readonly #filter: Filter
  readonly #recorder: MessageRecorder
  readonly #outcomes: Outcomes
  readonly #confirmation: Confirmation
  readonly #limits: ExchangeLimits
  readonly #counts: Float64Array
  readonly #at: Position
  readonly #rules: RequestRules
  readonly #traffic: InterfaceTraffic
  /** Those that wait for a response or a confirmation. */
  readonly waiting: WaitingExchanges

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
    traffic: InterfaceTraffic
  }) {
    this.#time = parts.time
    this.#head = parts.head
    this.#filter = parts.filter
    this.#recorder = new MessageRecorder(parts)
    this.#outcomes = parts.outcomes
    this.#confirmation = new Confirmation(parts.outcomes, parts.time)
    this.#limits = parts.limits
    this.#counts = parts.counts
    this.#at = parts.position
    this.#rules = new RequestRules(parts.arena, parts.head, parts.filter, parts.vantages)
    this.#traffic = parts.traffic
    this.waiting = new WaitingExchanges(parts.outcomes, this.#confirmation, parts.time, parts.limits)
  }

  head(stream: MessageStream, start: number, headEnd: number, bodyStart: number, end: number): number {
    this.recognise(stream.connection)
    stream.bodySeq = this.#at.seqAt(bodyStart)
    return stream.isResponse
      ? this.#responseHead(stream, start, headEnd, bodyStart, end)
      : this.#requestHead(stream, start, headEnd, bodyStart, end)
  }

  requestBegins({ connection }: MessageStream): void {
    connection.begunAck = this.#at.ack
    connection.begunKnown = true
    const { responses } = connection
    const { exchange, state } = responses
    if (clientContinues(responses, this.#at.ack)) this.#abandonToClose(connection, REASON_DOUBTFUL)
    else if (state > HEAD_PART && state !== OPAQUE && seqDiff(responses.bodySeq, this.#at.ack) >= 0) {
      if (exchange !== null) exchange.contested = true
      else connection.doubtResponses(REASON_DOUBTFUL)
    }
  }

  body(stream: MessageStream, at: number, end: number): void {
    if (stream.exchange !== null) this.#recorder.append(stream, stream.exchange, at, end)
  }

  complete(stream: MessageStream, seq: number): void {
    const exchange = stream.exchange
    if (stream.isResponse) stream.connection.answered(seq, this.#at.ack, exchange === null)
    stream.exchange = null
    if (exchange === null) return
    const record = stream.isResponse ? exchange.response : exchange.request
    this.#recorder.finish(record, stream, seq)
    if (record.wireBytes > this.#limits.messageBytes) this.#outcomes.abandon(exchange, REASON_OVERSIZE)
    if (stream.isResponse) {
      exchange.responseOpen = false
      exchange.responseDone = true
    } else {
      exchange.requestOpen = false
      exchange.requestDone = true
      exchange.ackLast = this.#at.ack
    }
    if (exchange.abandoned) this.#confirmation.completeAbandoned(exchange, stream.isResponse)
    else if (exchange.requestDone && exchange.responseDone) this.#confirmation.conclude(exchange)
    else if (!exchange.responseBegun) this.#outcomes.startDeadline(exchange, this.#time.start)
  }

  damaged(stream: MessageStream, reason: number): void {
    if (stream.exchange !== null) this.#outcomes.abandon(stream.exchange, reason)
  }

  cutShort(stream: MessageStream, seq: number, reason: number): void {
    const { exchange, connection } = stream
    if (exchange === null) return
    const isWhole = stream.isResponse && exchange.requestDone && !exchange.abandoned && !missed(connection)
    const isProven = !exchange.contested && !exchange.unconfirmed
    if (!this.#limits.incompleteResponses || !isWhole || !isProven) {
      // The client may have left out the body of an upload that was refused, or the close may have cut it off.
      const isUnsent = !stream.isResponse && stream.bodyBytes === 0 && exchange.responseDone
      this.#outcomes.abandon(exchange, isUnsent && reason === REASON_CLOSED ? REASON_DOUBTFUL : reason)
      return
    }
    exchange.response.anomalies |= ANOMALY_INCOMPLETE
    this.complete(stream, seq)
  }

  lost(stream: MessageStream, reason: number): void {
    this.#abandonOpen(stream, reason)
    const connection = stream.connection
    this.#confirmation.doubt(connection, reason)
    if (stream.isResponse) {
      this.#confirmation.reject(connection)
      connection.doubtResponses(reason)
      return
    }
    const { responses } = connection
    connection.doubtRequests(reason, stream.lastAck, stream.ackKnown)
    if (responses.state === TO_CLOSE) this.#abandonToClose(connection, reason)
    else if (responses.exchange !== null) this.#confirmation.forgo(responses.exchange, reason)
  }

  contradicts(stream: MessageStream, seq: number): boolean {
    const { ack } = this.#at
    if (stream.isResponse) return answersNext(stream, seq, ack)
    return stream.state === HEAD_PART ? headOvertaken(stream, ack) : responseCovered(stream, ack)
  }

  isAnswered(stream: MessageStream): boolean {
    return headAnswered(stream)
  }

  contradicted(stream: MessageStream): void {
    const connection = stream.connection
    this.#abandonOpen(stream, REASON_DOUBTFUL)
    if (!stream.isResponse && connection.responses.state === TO_CLOSE) this.#abandonToClose(connection, REASON_DOUBTFUL)
    this.#confirmation.doubt(connection, REASON_DOUBTFUL)
    connection.doubtResponses(REASON_DOUBTFUL)
  }

  suspect(stream: MessageStream): void {
    const { exchange } = stream
    if (exchange === null) return
    exchange.headInBody = true
    exchange.headInBodyAck = this.#at.ack
  }

  /**
   * A stream of the connection has ended, and the parser with it.
   *
   * @param reason why what is still incomplete is abandoned
   */
  ended(stream: MessageStream, reason: number): void {
    const { connection } = stream
    this.#abandonOpen(stream, stream.isResponse && missed(connection) ? REASON_GAP : reason)
    if (!stream.isResponse) return
    this.#confirmation.settle(connection, reason === REASON_CLOSED)
    this.#confirmation.uphold(connection, connection.serverStream.nextSeq)
    abandonQueue(connection, this.#outcomes, reason)
  }

  /** The connection carries another protocol from here on. */
  becomeOpaque(connection: HttpConnection, reason: number): void {
    this.ended(connection.requests, reason)
    this.ended(connection.responses, reason)
    connection.requests.state = OPAQUE
    connection.responses.state = OPAQUE
  }

  recognise(connection: HttpConnection): void {
    if (connection.recognised) return
    connection.recognised = true
    if (connection.flow?.tunnel !== TUNNEL_CONNECT) this.#count(connection, C.protocolHttp1)
  }

  #requestHead(stream: MessageStream, start: number, headEnd: number, bodyStart: number, end: number): number {
    const connection = stream.connection
    const head = this.#head
    this.#count(connection, C.requests)
    this.#counts[C.requestsWaiting]++
    this.#confirmation.resolve(connection, this.#at.headAck)
    const exchange = this.#outcomes.begin(connection)
    const request = exchange.request
    this.#recorder.begin(request, start, headEnd)
    exchange.ackFirst = this.#at.headAck
    exchange.ackLast = this.#at.ack
    exchange.method = head.method
    exchange.contentTypeListed = head.contentTypeListed
    exchange.rule = this.#rules.ruleOf(connection.flow as Flow)
    exchange.requestOpen = true
    stream.exchange = exchange
    enqueue(connection, exchange)
    if (connection.queued > QUEUE_LENGTH) {
      abandonQueue(connection, this.#outcomes, REASON_EVICTED)
      connection.doubtResponses(REASON_EVICTED)
    }
    const length = requestBody(head)
    if (length === BODY_UNKNOWABLE) return this.#unknowable(stream, end)
    this.#recorder.announce(exchange, request, Math.max(length, 0))
    this.#recorder.store(exchange, request, false)
    if (length === BODY_CHUNKED) expectChunked(stream)
    else if (length > 0) expectCounted(stream, length)
    else this.complete(stream, stream.bodySeq)
    return bodyStart
  }

  #responseHead(stream: MessageStream, start: number, headEnd: number, bodyStart: number, end: number): number {
    const connection = stream.connection
    const head = this.#head
    const interim = head.status < 200 && head.status !== 101
    this.#confirmation.refute(connection)
    this.#confirmation.uphold(connection, this.#at.headSeq)
    const exchange = match(connection, this.#at.headSeq, this.#at.headAck, interim, this.#outcomes)
    if (interim) {
      this.#counts[C.interim]++
      noteInterim(connection, this.#at.headSeq, stream.bodySeq)
      stream.state = HEAD
      return bodyStart
    }
    this.#count(connection, C.responses)
    if (exchange === null) return this.#orphan(stream, bodyStart, end)
    stream.exchange = exchange
    const response = exchange.response
    exchange.responseBegun = true
    exchange.responseOpen = true
    exchange.contested = clientHasContinued(connection, stream.bodySeq)
    exchange.early = !exchange.requestDone
    exchange.closes = exchange.unconfirmed && closesAfter(head, exchange.method)
    this.#outcomes.stopDeadline(exchange)
    this.#recorder.begin(response, start, headEnd)
    const waited = exchange.requestDone ? response.startMicros - exchange.request.endMicros : 0
    if (exchange.abandoned) this.#counts[ORPHANED_COUNTERS[exchange.reason]]++
    else if (waited > this.#limits.responseTimeoutMicros) this.#outcomes.abandon(exchange, REASON_TIMEOUT)
    else if (connection.requestsLost) this.#confirmation.forgo(exchange, connection.requestDoubtReason)
    // The client had begun to receive this response when it sent what was read as the request's body.
    if (exchange.headInBody && seqDiff(this.#at.headSeq, exchange.headInBodyAck) > 0) {
      this.#outcomes.abandon(exchange, REASON_DOUBTFUL)
    }
    if (exchange.rule === RULE_NONE) {
      const rule = this.#filter.response(head.status, exchange.contentTypeListed || head.contentTypeListed)
      if (rule !== RULE_NONE) this.#outcomes.filter(exchange, rule)
    }
    return this.#responseBody(stream, exchange, bodyStart, end)
  }

  /** Prepares for the response's body. Emits the pair at once if the response ends within the available bytes. */
  #responseBody(stream: MessageStream, exchange: Exchange, bodyStart: number, end: number): number {
    const head = this.#head
    const { connection } = stream
    const { response } = exchange
    const tunnel = opensTunnel(head, exchange.method)
    const length = responseBody(head, exchange.method)
    if (length === BODY_UNKNOWABLE) return this.#unknowable(stream, end)
    this.#recorder.announce(exchange, response, Math.max(length, 0))
    const isAvailable = length >= 0 && length <= end - bodyStart
    const isKept = !exchange.abandoned && exchange.rule === RULE_NONE
    const { requestDone, unconfirmed, contested } = exchange
    if (isAvailable && !tunnel && isKept && requestDone && !unconfirmed && !contested) {
      this.#emitInPlace(stream, exchange, bodyStart, length)
      return bodyStart + length
    }
    this.#recorder.store(exchange, response, true)
    if (length === BODY_CHUNKED) expectChunked(stream)
    else if (length === BODY_TO_CLOSE) return this.#bodyToClose(stream, bodyStart, end)
    else if (length > 0) expectCounted(stream, length)
    else this.complete(stream, stream.bodySeq)
    if (tunnel) this.#tunnel(connection, head.status === 101)
    return bodyStart
  }

  /** A response that answers no known request. It is followed to its end so that the stream stays in sync. */
  #orphan(stream: MessageStream, bodyStart: number, end: number): number {
    const connection = stream.connection
    const head = this.#head
    const reason = orphanReason(connection)
    this.#counts[reason === NO_REASON ? C.orphanedNoRequest : ORPHANED_COUNTERS[reason]]++
    stream.exchange = null
    if (head.status === 101) {
      this.#tunnel(connection, true)
      return bodyStart
    }
    const length = responseBody(head, METHOD_OTHER)
    if (length === BODY_CHUNKED) expectChunked(stream)
    else if (length === BODY_TO_CLOSE) return this.#bodyToClose(stream, bodyStart, end)
    else if (length === BODY_UNKNOWABLE) return this.#unknowable(stream, end)
    else if (length === 0) this.complete(stream, stream.bodySeq)
    else {
      expectCounted(stream, length)
      stream.lengthUnsure = true
    }
    return bodyStart
  }

  /** The response extends to the end of the connection, unless the client continues after it, or may have done so. */
  #bodyToClose(stream: MessageStream, bodyStart: number, end: number): number {
    const { connection } = stream
    expectToClose(stream)
    if (clientHasContinued(connection, stream.bodySeq)) this.#abandonToClose(connection, REASON_DOUBTFUL)
    else if (connection.requestsLost) this.#abandonToClose(connection, connection.requestDoubtReason)
    else return bodyStart
    return end
  }

  /**
   * A response would extend to the end of the connection, but the client continues: its end is unknown.
   *
   * @param reason a REASON_ value
   */
  #abandonToClose(connection: HttpConnection, reason: number): void {
    this.#abandonOpen(connection.responses, reason)
    connection.responses.state = SEEK
    connection.doubtResponses(reason)
  }

  /** The head is ambiguous about its message's end: the message is abandoned, and the stream loses its place. */
  #unknowable(stream: MessageStream, end: number): number {
    this.damaged(stream, REASON_DOUBTFUL)
    stream.state = SEEK
    this.lost(stream, REASON_DOUBTFUL)
    return end
  }

  #emitInPlace(stream: MessageStream, exchange: Exchange, bodyStart: number, length: number): void {
    const { response } = exchange
    const endSeq = this.#at.seqAt(bodyStart + length)
    stream.wireBytes += length
    stream.bodyBytes = length
    stream.exchange = null
    stream.state = HEAD
    stream.connection.answered(endSeq, this.#at.ack, false)
    this.#recorder.finish(response, stream, endSeq)
    exchange.responseOpen = false
    exchange.responseDone = true
    this.#outcomes.emitInPlace(exchange, bodyStart)
  }

  /** Begins another connection after a CONNECT whose client waited for the reply; otherwise its start is unknown. */
  #tunnel(connection: HttpConnection, upgraded: boolean): void {
    const { flow, requests, first } = connection
    const begins = !upgraded && requests.state === HEAD && first === null
    if (upgraded) this.#count(connection, C.protocolUpgraded)
    else if (flow?.tunnel !== TUNNEL_CONNECT) this.#count(connection, C.protocolTunnel)
    this.becomeOpaque(connection, REASON_DOUBTFUL)
    if (flow !== null) flow.protocol = begins ? PROTOCOL_TUNNEL : PROTOCOL_OPAQUE
  }

  /** Counts for the assembler and for the connection's interface. */
  #count({ flow }: HttpConnection, counter: number): void {
    this.#counts[counter]++
    if (flow !== null) this.#traffic.add(flow.interfaceId, counter)
  }

  /** Abandons the message in progress, if any. */
  #abandonOpen(stream: MessageStream, reason: number): void {
    const exchange = stream.exchange
    stream.exchange = null
    if (exchange === null) return
    if (stream.isResponse) exchange.responseOpen = false
    else exchange.requestOpen = false
    this.#outcomes.abandon(exchange, reason)
  }
}
