/**
 * What a complete head starts: a request opens an exchange and joins the queue, a response finds its exchange (pairing.ts). Decides
 * how the message's body is read, and applies the rules of the filter that the heads decide.
 *
 *     request head ──▶ resolve a match that waits ──▶ new exchange, queued ──▶ body, or complete
 *     response head ──▶ settle the response before ──▶ match ──┬─ its exchange ──▶ rules ──▶ in one segment: emitted from there
 *                                                              │                        └─▶ body, to the close, tunnel, or complete
 *                                                              ├─ 1xx: the exchange keeps waiting
 *                                                              └─ none: orphaned, followed to its end
 */
import * as C from '../counters'
import { count } from '../counts'
import { needsNoBytes } from '../encode/pair'
import { METHOD, METHOD_OTHER, RESULTS_AT, SECOND_END, SECOND_START } from '../head/layout'
import { hostIncludes, hostJudgeHost, LEAVE_OUT } from '../host'
import {
  NO_REASON,
  REASON_DOUBTFUL,
  REASON_EVICTED,
  REASON_TIMEOUT,
  RULE_INCLUDE,
  RULE_NONE,
  RULE_VANTAGE,
} from '../reasons'
import { Settings } from '../settings'
import { Flow, PROTOCOL_OPAQUE, PROTOCOL_TUNNEL, TUNNEL_CONNECT } from '../tcp/flow'
import { seqDiff } from '../tcp/seq'
import { expectChunked } from './chunked'
import {
  beginResponse,
  Connection,
  connectionOf,
  Exchange,
  MessageStream,
  newExchange,
  progressOf,
  requestOf,
  requestsOf,
  responseOf,
} from './connection'
import { clientHasContinued } from './contradiction'
import { stopDeadline } from './deadlines'
import { doubtResponses, noteAnswer, requestsLost } from './doubts'
import {
  abandonToClose,
  becomeOpaque,
  completeMessage,
  countMessage,
  damageMessage,
  losePlace,
  recognise,
} from './exchanges'
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
import { abandonQueue, enqueue, match, orphanReason } from './pairing'
import { Position, seqAt } from './position'
import { checkContestedEnd, markContested, noteInterim, noteResponsePart, refute, resolve } from './proof'
import { announce, beginMessage, finishMessage, identify, isWanted, storeMessage } from './recorder'
import { responseRule, targetRule } from './rules'
import { COUNTED, HEAD, SEEK, TO_CLOSE } from './stream-states'

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
  progressOf(stream).bodySeq = seqAt(bodyStart)
  return stream.isResponse
    ? responseHead(stream, start, headEnd, bodyStart, end)
    : requestHead(stream, start, headEnd, bodyStart, end)
}

/** Prepares a stream for a body of `length` bytes. */
export function expectCounted(stream: MessageStream, length: i64): void {
  stream.state = COUNTED
  progressOf(stream).remaining = length
}

function requestHead(stream: MessageStream, start: usize, headEnd: usize, bodyStart: usize, end: usize): usize {
  const connection = connectionOf(stream)
  countMessage(connection, C.requests)
  count(C.requestsWaiting)
  resolve(connection, Position.headAck)
  const exchange = newExchange(connection)
  const request = requestOf(exchange)
  beginMessage(request, <i32>(headEnd - start))
  exchange.ackFirst = Position.headAck
  exchange.ackLast = Position.ack
  exchange.method = <u8>load<i32>(RESULTS_AT + METHOD)
  exchange.contentTypeListed = Head.contentTypeListed
  exchange.rule = ruleOf(connection.flow)
  exchange.measured = needsNoBytes(connection.flow)
  exchange.requestOpen = true
  progressOf(stream).exchange = exchange
  enqueue(connection, exchange)
  if (<i32>connection.queued > QUEUE_LENGTH) {
    abandonQueue(connection, REASON_EVICTED)
    doubtResponses(connection, REASON_EVICTED)
  }
  const length = requestBody()
  if (length === BODY_UNKNOWABLE) return unknowable(stream, end)
  announce(exchange, request, max(length, 0))
  if (isWanted(exchange)) {
    identify(exchange, request, start, headEnd)
    storeMessage(exchange, request, false)
  }
  if (length === BODY_CHUNKED) expectChunked(stream)
  else if (length > 0) expectCounted(stream, length)
  else completeMessage(stream, progressOf(stream).bodySeq)
  return bodyStart
}

/** The rule that filters the request scanned last, by its head, its connection's ends and vantage; or RULE_NONE. */
function ruleOf(flow: Flow): u8 {
  // A sidecar hides the server: the Host of the first request shows whether it is inside the cluster.
  if (flow.hostPending) {
    findHostField()
    flow.hostPending = false
    if (hostJudgeHost(Head.hostAt, Head.hostEnd) === LEAVE_OUT) flow.rule = RULE_VANTAGE
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
  checkContestedEnd(connection, Position.headSeq)
  noteResponsePart(connection, Position.headSeq + 1, progressOf(stream).bodySeq)
  const exchange = match(connection, Position.headSeq, Position.headAck, interim)
  if (interim) {
    count(C.interim)
    noteInterim(connection, Position.headSeq, progressOf(stream).bodySeq)
    stream.state = HEAD
    return bodyStart
  }
  countMessage(connection, C.responses)
  if (exchange === null) return orphan(stream, bodyStart, end)
  progressOf(stream).exchange = exchange
  const response = beginResponse(exchange)
  exchange.responseOpen = true
  exchange.contested = clientHasContinued(connection, progressOf(stream).bodySeq)
  exchange.early = !exchange.requestDone
  exchange.closes = exchange.unconfirmed && closesAfter(exchange.method)
  stopDeadline(exchange)
  beginMessage(response, <i32>(headEnd - start))
  judgeResponse(connection, exchange, status)
  if (isWanted(exchange)) identify(exchange, response, start, headEnd)
  return bodyOfResponse(stream, exchange, bodyStart, end)
}

/** Whether the response comes too late, or its match is in doubt; and the rules that its head decides. */
function judgeResponse(connection: Connection, exchange: Exchange, status: i32): void {
  const waited = exchange.requestDone ? responseOf(exchange).startMicros - requestOf(exchange).endMicros : 0
  if (exchange.abandoned) count(C.orphanedTimeout + <usize>exchange.reason * sizeof<f64>())
  else if (waited > Settings.responseTimeoutMicros) abandon(exchange, REASON_TIMEOUT)
  else if (requestsLost(connection)) markContested(exchange, requestsOf(connection).doubtReason)
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
  const isPlain = exchange.requestDone && !exchange.unconfirmed && !exchange.contested
  if (isAvailable && !tunnel && isWanted(exchange) && isPlain) {
    finishInPlace(stream, exchange, bodyStart, <usize>length)
    return bodyStart + <usize>length
  }
  if (isWanted(exchange)) storeMessage(exchange, response, true)
  if (length === BODY_CHUNKED) expectChunked(stream)
  else if (length === BODY_TO_CLOSE) return bodyToClose(stream, bodyStart, end)
  else if (length > 0) expectCounted(stream, length)
  else completeMessage(stream, progressOf(stream).bodySeq)
  if (tunnel) openTunnel(connection, isUpgrade)
  return bodyStart
}

/** A response that answers no known request. It is followed to its end so that the stream stays in sync. */
function orphan(stream: MessageStream, bodyStart: usize, end: usize): usize {
  const connection = connectionOf(stream)
  const reason = orphanReason(connection)
  count(reason === NO_REASON ? C.orphanedNoRequest : C.orphanedTimeout + <usize>reason * sizeof<f64>())
  progressOf(stream).exchange = null
  if (statusOfHead() === 101) {
    openTunnel(connection, true)
    return bodyStart
  }
  const length = responseBody(METHOD_OTHER)
  if (length === BODY_CHUNKED) expectChunked(stream)
  else if (length === BODY_TO_CLOSE) return bodyToClose(stream, bodyStart, end)
  else if (length === BODY_UNKNOWABLE) return unknowable(stream, end)
  else if (length === 0) completeMessage(stream, progressOf(stream).bodySeq)
  else {
    expectCounted(stream, length)
    progressOf(stream).lengthUnsure = true
  }
  return bodyStart
}

/** The response extends to the end of the connection, unless the client continues after it, or may have done so. */
function bodyToClose(stream: MessageStream, bodyStart: usize, end: usize): usize {
  const connection = connectionOf(stream)
  stream.state = TO_CLOSE
  if (clientHasContinued(connection, progressOf(stream).bodySeq)) abandonToClose(connection, REASON_DOUBTFUL)
  else if (requestsLost(connection)) abandonToClose(connection, requestsOf(connection).doubtReason)
  else return bodyStart
  return end
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
  const progress = progressOf(stream)
  progress.wireBytes += <i32>length
  progress.bodyBytes = <i32>length
  progress.exchange = null
  stream.state = HEAD
  noteAnswer(connectionOf(stream), endSeq, Position.headAck, false)
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
