/**
 * Builds exchanges from messages: decides how each message ends, applies the filter as soon as a head decides it, finds
 * the request that a response answers, and passes complete or abandoned exchanges on (outcomes.ts).
 */

import { isStray, Time, timerStart } from '../clock'
import * as C from '../counters'
import { count } from '../counts'
import { ANOMALY_INCOMPLETE, METHOD, METHOD_OTHER, RESULTS_AT, SECOND_END, SECOND_START } from '../head/layout'
import { hostIncludes, hostJudgeHost, LEAVE_OUT } from '../host'
import { countOf } from '../interfaces'
import {
  NO_REASON,
  REASON_CLOSED,
  REASON_DOUBTFUL,
  REASON_EVICTED,
  REASON_GAP,
  REASON_OVERSIZE,
  REASON_TIMEOUT,
  RULE_INCLUDE,
  RULE_NONE,
  RULE_VANTAGE,
} from '../reasons'
import { Settings } from '../settings'
import { Flow, PROTOCOL_OPAQUE, PROTOCOL_TUNNEL, TUNNEL_CONNECT } from '../tcp/flow'
import { seqDiff } from '../tcp/seq'
import { expectChunked } from './chunked'
import { completeAbandoned, conclude, doubt, forgo, refute, reject, resolve, settleMatch, uphold } from './confirmation'
import {
  Connection,
  connectionOf,
  doubtRequests,
  doubtResponses,
  Exchange,
  MessageStream,
  newExchange,
  noteAnswer,
  requestOf,
  requestsLost,
  requestsOf,
  responseOf,
  responsesOf,
  serverStream,
} from './connection'
import {
  answersNext,
  clientContinues,
  clientHasContinued,
  headAnswered,
  headOvertaken,
  responseCovered,
} from './contradiction'
import { longestWaiting, startDeadline, stopDeadline } from './deadlines'
import { findHostField, Head } from './head'
import {
  BODY_CHUNKED,
  BODY_TO_CLOSE,
  BODY_UNKNOWABLE,
  closesAfter,
  opensTunnel,
  requestBody,
  responseBody,
  statusOfHead,
} from './message-length'
import { abandon, emitInPlace, filter } from './outcomes'
import { abandonQueue, enqueue, match, missed, noteInterim, orphanReason, unansweredReason } from './pairing'
import { Position, seqAt } from './position'
import { announce, appendBody, beginMessage, finishMessage, storeMessage } from './recorder'
import { responseRule, targetRule } from './rules'
import { COUNTED, HEAD, HEAD_PART, OPAQUE, SEEK, TO_CLOSE } from './stream-states'

/** Limit of unanswered requests of one connection. At the limit all are abandoned (`evicted`). */
const QUEUE_LENGTH: i32 = 4096

/**
 * A head is complete and scanned (see head.ts). Sets the stream's state for what follows, and may consume the body.
 *
 * @param start, headEnd the head; @param bodyStart, end the available bytes after it
 * @returns the address to continue at: `bodyStart` or a later one
 */
export function messageHead(stream: MessageStream, start: usize, headEnd: usize, bodyStart: usize, end: usize): usize {
  recognise(connectionOf(stream))
  stream.bodySeq = seqAt(bodyStart)
  return stream.isResponse
    ? responseHead(stream, start, headEnd, bodyStart, end)
    : requestHead(stream, start, headEnd, bodyStart, end)
}

/** A request begins in the current segment; its head may be incomplete, or prove to be none. */
export function requestBegins(stream: MessageStream): void {
  const connection = connectionOf(stream)
  connection.begunAck = Position.ack
  connection.begunKnown = true
  const responses = responsesOf(connection)
  const state = responses.state
  if (clientContinues(responses, Position.ack)) abandonToClose(connection, REASON_DOUBTFUL)
  else if (state > HEAD_PART && state !== OPAQUE && seqDiff(responses.bodySeq, Position.ack) >= 0) {
    const exchange = responses.exchange
    if (exchange !== null) exchange.contested = true
    else doubtResponses(connection, REASON_DOUBTFUL)
  }
}

/** Body bytes without chunk framing. */
export function messageBody(stream: MessageStream, at: usize, end: usize): void {
  const exchange = stream.exchange
  if (exchange !== null) appendBody(stream, exchange, at, end)
}

/** The message is complete, and the parser continues in HEAD. `seq` is the number of the first byte after it. */
export function completeMessage(stream: MessageStream, seq: i32): void {
  const exchange = stream.exchange
  const isResponse = stream.isResponse
  if (isResponse) noteAnswer(connectionOf(stream), seq, Position.ack, exchange === null)
  stream.exchange = null
  if (exchange === null) return
  const message = isResponse ? responseOf(exchange) : requestOf(exchange)
  finishMessage(message, stream, seq)
  if (message.wireBytes > Settings.messageBytes) abandon(exchange, REASON_OVERSIZE)
  if (isResponse) {
    exchange.responseOpen = false
    exchange.responseDone = true
  } else {
    exchange.requestOpen = false
    exchange.requestDone = true
    exchange.ackLast = Position.ack
  }
  if (exchange.abandoned) completeAbandoned(exchange, isResponse)
  else if (exchange.requestDone && exchange.responseDone) conclude(exchange)
  else if (!exchange.responseBegun) startDeadline(exchange, timerStart())
}

/** Part of the message in progress is lost or its end is unknown: it cannot become part of a pair. */
export function damageMessage(stream: MessageStream, reason: i8): void {
  const exchange = stream.exchange
  if (exchange !== null) abandon(exchange, reason)
}

/** The stream ends at `seq`, before the body of its message does. @param reason why the stream ends */
export function cutMessageShort(stream: MessageStream, seq: i32, reason: i8): void {
  const exchange = stream.exchange
  if (exchange === null) return
  const isWhole = stream.isResponse && exchange.requestDone && !exchange.abandoned && !missed(connectionOf(stream))
  const isProven = !exchange.contested && !exchange.unconfirmed
  if (!Settings.incompleteResponses || !isWhole || !isProven) {
    // The client may have left out the body of an upload that was refused, or the close may have cut it off.
    const isUnsent = !stream.isResponse && stream.bodyBytes === 0 && exchange.responseDone
    abandon(exchange, isUnsent && reason === REASON_CLOSED ? REASON_DOUBTFUL : reason)
    return
  }
  responseOf(exchange).anomalies |= ANOMALY_INCOMPLETE
  completeMessage(stream, seq)
}

/** The stream has lost its place and will seek. An unknown number of messages may be missing here. */
export function losePlace(stream: MessageStream, reason: i8): void {
  abandonOpen(stream, reason)
  const connection = connectionOf(stream)
  doubt(connection, reason)
  if (stream.isResponse) {
    reject(connection)
    doubtResponses(connection, reason)
    return
  }
  doubtRequests(connection, reason, stream.lastAck, stream.ackKnown)
  const responses = responsesOf(connection)
  const exchange = responses.exchange
  if (responses.state === TO_CLOSE) abandonToClose(connection, reason)
  else if (exchange !== null) forgo(exchange, reason)
}

/**
 * Whether sequence numbers contradict that the message in progress continues with the current segment, which begins
 * at `seq`.
 */
export function contradicts(stream: MessageStream, seq: i32): bool {
  const ack = Position.ack
  if (stream.isResponse) return answersNext(stream, seq, ack)
  return stream.state === HEAD_PART ? headOvertaken(stream, ack) : responseCovered(stream, ack)
}

/** Whether the server has answered a request whose head is still open. */
export function isAnswered(stream: MessageStream): bool {
  return headAnswered(stream)
}

/** Another message provably begins with this segment, which confirms `contradicts`. */
export function contradicted(stream: MessageStream): void {
  const connection = connectionOf(stream)
  abandonOpen(stream, REASON_DOUBTFUL)
  if (!stream.isResponse && responsesOf(connection).state === TO_CLOSE) abandonToClose(connection, REASON_DOUBTFUL)
  doubt(connection, REASON_DOUBTFUL)
  doubtResponses(connection, REASON_DOUBTFUL)
}

/** The body of a request begins with what may as well be the next request. */
export function suspectBody(stream: MessageStream): void {
  const exchange = stream.exchange
  if (exchange === null) return
  exchange.headInBody = true
  exchange.headInBodyAck = Position.ack
}

/**
 * A stream of the connection has ended, and the parser with it.
 *
 * @param reason why what is still incomplete is abandoned
 */
export function endMessages(stream: MessageStream, reason: i8): void {
  const connection = connectionOf(stream)
  abandonOpen(stream, stream.isResponse && missed(connection) ? REASON_GAP : reason)
  if (!stream.isResponse) return
  settleMatch(connection, reason === REASON_CLOSED)
  uphold(connection, serverStream(connection).nextSeq)
  abandonQueue(connection, reason)
}

/** The connection carries another protocol from here on. */
export function becomeOpaque(connection: Connection, reason: i8): void {
  const requests = requestsOf(connection)
  const responses = responsesOf(connection)
  endMessages(requests, reason)
  endMessages(responses, reason)
  requests.state = OPAQUE
  responses.state = OPAQUE
}

/** A start line proves that the connection carries HTTP/1, even if no valid head follows. */
export function recognise(connection: Connection): void {
  if (connection.recognised) return
  connection.recognised = true
  if (connection.flow.tunnel !== TUNNEL_CONNECT) countMessage(connection, C.protocolHttp1)
}

/** Ends exchanges that have waited longer than the timeout. */
export function expireExchanges(): void {
  let exchange = longestWaiting()
  while (exchange !== null) {
    if (isStray(exchange.waitingMicros)) startDeadline(exchange, Time.clock)
    else if (Time.clock - exchange.waitingMicros > Settings.responseTimeoutMicros) endWaiting(exchange, REASON_TIMEOUT)
    else return
    exchange = longestWaiting()
  }
}

/** Ends the exchange that has waited longest, for lack of room. @returns false when none waits */
export function evictWaiting(): bool {
  const exchange = longestWaiting()
  if (exchange === null) return false
  endWaiting(exchange, REASON_EVICTED)
  return true
}

/** Prepares a stream for a body of `length` bytes. */
export function expectCounted(stream: MessageStream, length: i64): void {
  stream.state = COUNTED
  stream.remaining = length
}

/** @param reason a REASON_ value, unless the connection shows a better one */
function endWaiting(exchange: Exchange, reason: i8): void {
  const connection = exchange.connection
  stopDeadline(exchange)
  if (connection.confirming === exchange) settleMatch(connection, false)
  else if (connection.contested === exchange) reject(connection)
  else abandon(exchange, unansweredReason(connection, exchange, reason))
}

function requestHead(stream: MessageStream, start: usize, headEnd: usize, bodyStart: usize, end: usize): usize {
  const connection = connectionOf(stream)
  countMessage(connection, C.requests)
  count(C.requestsWaiting)
  resolve(connection, Position.headAck)
  const exchange = newExchange(connection)
  const request = requestOf(exchange)
  beginMessage(request, start, headEnd)
  exchange.ackFirst = Position.headAck
  exchange.ackLast = Position.ack
  exchange.method = <u8>load<i32>(RESULTS_AT + METHOD)
  exchange.contentTypeListed = Head.contentTypeListed
  exchange.rule = ruleOf(connection.flow)
  exchange.requestOpen = true
  stream.exchange = exchange
  enqueue(connection, exchange)
  if (connection.queued > QUEUE_LENGTH) {
    abandonQueue(connection, REASON_EVICTED)
    doubtResponses(connection, REASON_EVICTED)
  }
  const length = requestBody()
  if (length === BODY_UNKNOWABLE) return unknowable(stream, end)
  announce(exchange, request, max(length, 0))
  storeMessage(exchange, request, false)
  if (length === BODY_CHUNKED) expectChunked(stream)
  else if (length > 0) expectCounted(stream, length)
  else completeMessage(stream, stream.bodySeq)
  return bodyStart
}

/** The rule that filters the request scanned last, by its head, its connection's ends and vantage; or RULE_NONE. */
function ruleOf(flow: Flow): u8 {
  // A sidecar hides the server: the Host of the first request shows whether it is inside the cluster.
  if (flow.hostPending) {
    findHostField()
    flow.hostPending = false
    if (hostJudgeHost(flow, Head.hostAt, Head.hostEnd) === LEAVE_OUT) flow.rule = RULE_VANTAGE
  }
  if (Head.rule !== RULE_NONE) return Head.rule
  if (!Settings.everything) {
    const rule = targetRule(load<usize>(RESULTS_AT + SECOND_START), load<usize>(RESULTS_AT + SECOND_END))
    if (rule !== RULE_NONE) return rule
  }
  if (flow.rule !== RULE_NONE) return flow.rule
  return !Settings.includesRequests || hostIncludes(flow, Head.hostListed) ? RULE_NONE : RULE_INCLUDE
}

function responseHead(stream: MessageStream, start: usize, headEnd: usize, bodyStart: usize, end: usize): usize {
  const connection = connectionOf(stream)
  const status = statusOfHead()
  const interim = status < 200 && status !== 101
  refute(connection)
  uphold(connection, Position.headSeq)
  const exchange = match(connection, Position.headSeq, Position.headAck, interim)
  if (interim) {
    count(C.interim)
    noteInterim(connection, Position.headSeq, stream.bodySeq)
    stream.state = HEAD
    return bodyStart
  }
  countMessage(connection, C.responses)
  if (exchange === null) return orphan(stream, bodyStart, end)
  stream.exchange = exchange
  const response = responseOf(exchange)
  exchange.responseBegun = true
  exchange.responseOpen = true
  exchange.contested = clientHasContinued(connection, stream.bodySeq)
  exchange.early = !exchange.requestDone
  exchange.closes = exchange.unconfirmed && closesAfter(exchange.method)
  stopDeadline(exchange)
  beginMessage(response, start, headEnd)
  judgeResponse(connection, exchange, status)
  return bodyOfResponse(stream, exchange, bodyStart, end)
}

/** Whether the response comes too late, or its match is in doubt; and the rules that its head decides. */
function judgeResponse(connection: Connection, exchange: Exchange, status: i32): void {
  const waited = exchange.requestDone ? responseOf(exchange).startMicros - requestOf(exchange).endMicros : 0
  if (exchange.abandoned) count(C.orphanedTimeout + <usize>exchange.reason * sizeof<f64>())
  else if (waited > Settings.responseTimeoutMicros) abandon(exchange, REASON_TIMEOUT)
  else if (requestsLost(connection)) forgo(exchange, connection.requestDoubtReason)
  // The client had begun to receive this response when it sent what was read as the request's body.
  if (exchange.headInBody && seqDiff(Position.headSeq, exchange.headInBodyAck) > 0) abandon(exchange, REASON_DOUBTFUL)
  if (exchange.rule !== RULE_NONE) return
  const rule = responseRule(status, exchange.contentTypeListed || Head.contentTypeListed)
  if (rule !== RULE_NONE) filter(exchange, rule)
}

/** Prepares for the response's body. Emits the pair at once if the response ends within the available bytes. */
function bodyOfResponse(stream: MessageStream, exchange: Exchange, bodyStart: usize, end: usize): usize {
  const connection = connectionOf(stream)
  const response = responseOf(exchange)
  const tunnel = opensTunnel(exchange.method)
  const isUpgrade = statusOfHead() === 101
  const length = responseBody(exchange.method)
  if (length === BODY_UNKNOWABLE) return unknowable(stream, end)
  announce(exchange, response, max(length, 0))
  const isAvailable = length >= 0 && length <= <i64>(end - bodyStart)
  const isKept = !exchange.abandoned && exchange.rule === RULE_NONE
  const isPlain = exchange.requestDone && !exchange.unconfirmed && !exchange.contested
  if (isAvailable && !tunnel && isKept && isPlain) {
    finishInPlace(stream, exchange, bodyStart, <usize>length)
    return bodyStart + <usize>length
  }
  storeMessage(exchange, response, true)
  if (length === BODY_CHUNKED) expectChunked(stream)
  else if (length === BODY_TO_CLOSE) return bodyToClose(stream, bodyStart, end)
  else if (length > 0) expectCounted(stream, length)
  else completeMessage(stream, stream.bodySeq)
  if (tunnel) openTunnel(connection, isUpgrade)
  return bodyStart
}

/** A response that answers no known request. It is followed to its end so that the stream stays in sync. */
function orphan(stream: MessageStream, bodyStart: usize, end: usize): usize {
  const connection = connectionOf(stream)
  const reason = orphanReason(connection)
  count(reason === NO_REASON ? C.orphanedNoRequest : C.orphanedTimeout + <usize>reason * sizeof<f64>())
  stream.exchange = null
  if (statusOfHead() === 101) {
    openTunnel(connection, true)
    return bodyStart
  }
  const length = responseBody(METHOD_OTHER)
  if (length === BODY_CHUNKED) expectChunked(stream)
  else if (length === BODY_TO_CLOSE) return bodyToClose(stream, bodyStart, end)
  else if (length === BODY_UNKNOWABLE) return unknowable(stream, end)
  else if (length === 0) completeMessage(stream, stream.bodySeq)
  else {
    expectCounted(stream, length)
    stream.lengthUnsure = true
  }
  return bodyStart
}

/** The response extends to the end of the connection, unless the client continues after it, or may have done so. */
function bodyToClose(stream: MessageStream, bodyStart: usize, end: usize): usize {
  const connection = connectionOf(stream)
  stream.state = TO_CLOSE
  if (clientHasContinued(connection, stream.bodySeq)) abandonToClose(connection, REASON_DOUBTFUL)
  else if (requestsLost(connection)) abandonToClose(connection, connection.requestDoubtReason)
  else return bodyStart
  return end
}

/**
 * A response would extend to the end of the connection, but the client continues: its end is unknown.
 *
 * @param reason a REASON_ value
 */
function abandonToClose(connection: Connection, reason: i8): void {
  const responses = responsesOf(connection)
  abandonOpen(responses, reason)
  responses.state = SEEK
  doubtResponses(connection, reason)
}

/** The head is ambiguous about its message's end: the message is abandoned, and the stream loses its place. */
function unknowable(stream: MessageStream, end: usize): usize {
  damageMessage(stream, REASON_DOUBTFUL)
  stream.state = SEEK
  losePlace(stream, REASON_DOUBTFUL)
  return end
}

function finishInPlace(stream: MessageStream, exchange: Exchange, bodyStart: usize, length: usize): void {
  const endSeq = seqAt(bodyStart + length)
  stream.wireBytes += <i32>length
  stream.bodyBytes = <i32>length
  stream.exchange = null
  stream.state = HEAD
  noteAnswer(connectionOf(stream), endSeq, Position.ack, false)
  finishMessage(responseOf(exchange), stream, endSeq)
  exchange.responseOpen = false
  exchange.responseDone = true
  emitInPlace(exchange, bodyStart)
}

/** Begins another connection after a CONNECT whose client waited for the reply; otherwise its start is unknown. */
function openTunnel(connection: Connection, upgraded: bool): void {
  const flow = connection.flow
  const begins = !upgraded && requestsOf(connection).state === HEAD && connection.first === null
  if (upgraded) countMessage(connection, C.protocolUpgraded)
  else if (flow.tunnel !== TUNNEL_CONNECT) countMessage(connection, C.protocolTunnel)
  becomeOpaque(connection, REASON_DOUBTFUL)
  flow.protocol = begins ? PROTOCOL_TUNNEL : PROTOCOL_OPAQUE
}

/** Counts for the assembler and for the connection's interface. */
function countMessage(connection: Connection, counter: usize): void {
  count(counter)
  countOf(connection.flow.interfaceId, counter)
}

/** Abandons the message in progress, if any. */
function abandonOpen(stream: MessageStream, reason: i8): void {
  const exchange = stream.exchange
  stream.exchange = null
  if (exchange === null) return
  if (stream.isResponse) exchange.responseOpen = false
  else exchange.requestOpen = false
  abandon(exchange, reason)
}
