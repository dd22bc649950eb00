/**
 * Exchanges while their messages are in progress: what the completion, damage or contradiction of a message, or the end of its
 * stream, means for its exchange. message-start.ts begins messages; proof.ts and outcomes.ts end exchanges.
 *
 *     request head ──▶ request open ──complete──▶ waiting ──response head──▶ response open ──complete──▶ conclude (proof.ts)
 *                           │                        │                             │
 *                           └────────────────────────┴──gap, timeout, oversize, …──┴──▶ abandoned (outcomes.ts)
 *
 * Invariants: a request counts as waiting until exactly one of `abandon` and `emit`. An exchange is referred to by the queue
 * (`queued`), by the stream of a message in progress (`requestOpen`, `responseOpen`), or as `confirming` or `contested`; `settle`
 * frees it once none of these refers to it.
 */
import { isStray, Time, timerStart } from '../clock'
import * as C from '../counters'
import { count } from '../counts'
import { ANOMALY_INCOMPLETE } from '../head/layout'
import { countOf } from '../interfaces'
import { REASON_CLOSED, REASON_DOUBTFUL, REASON_EVICTED, REASON_GAP, REASON_OVERSIZE, REASON_TIMEOUT } from '../reasons'
import { Settings } from '../settings'
import { TUNNEL_CONNECT } from '../tcp/flow'
import { seqDiff } from '../tcp/seq'
import {
  Connection,
  connectionOf,
  Exchange,
  exchangeOf,
  MessageStream,
  progressOf,
  requestOf,
  requestsOf,
  responseOf,
  responsesOf,
  serverStream,
} from './connection'
import { answersNext, clientContinues, headAnswered, headOvertaken, responseCovered } from './contradiction'
import { longestWaiting, startDeadline, stopDeadline } from './deadlines'
import { doubtRequests, doubtResponses, noteAnswer } from './doubts'
import { abandon } from './outcomes'
import { abandonQueue, hasMissedBytes, unansweredReason } from './pairing'
import { Position } from './position'
import {
  checkContestedEnd,
  completeAbandoned,
  conclude,
  doubt,
  markContested,
  noteResponsePart,
  reject,
  settleMatch,
} from './proof'
import { appendBody, finishMessage } from './recorder'
import { HEAD_PART, OPAQUE, SEEK, TO_CLOSE } from './stream-states'

/** A request begins in the current segment; its head may be incomplete, or prove to be none. */
export function requestBegins(stream: MessageStream): void {
  const connection = connectionOf(stream)
  connection.begunAck = Position.ack
  connection.begunKnown = true
  // A request among what was skipped is unanswered then.
  if (connection.skipped && stream.lastAck === Position.ack && !connection.flow.lossy) connection.pipelining = true
  connection.skipped = false
  const responses = responsesOf(connection)
  if (clientContinues(responses, Position.ack)) abandonToClose(connection, REASON_DOUBTFUL)
  else if (isReceiving(responses, Position.ack)) {
    const exchange = exchangeOf(responses)
    if (exchange !== null) exchange.contested = true
    else doubtResponses(connection, REASON_DOUBTFUL)
  }
}

/** Bytes of the client were skipped, because it is not known where the next request begins. They may hold requests. */
export function skipped(stream: MessageStream): void {
  const connection = connectionOf(stream)
  doubtRequests(connection, stream.doubtReason, Position.ack, true)
  connection.skipped = true
  // A client that has received more than was captured so far may have received the whole response.
  const isCaptured = !connection.flow.lossy && seqDiff(serverStream(connection).nextSeq, Position.ack) <= 0
  if (isCaptured && isReceiving(responsesOf(connection), Position.ack)) connection.pipelining = true
}

/** Whether the client, having acknowledged `ack`, has received the head of a response, but not all of the body that it announces. */
function isReceiving(responses: MessageStream, ack: i32): bool {
  const state = responses.state
  return state > HEAD_PART && state !== OPAQUE && seqDiff(progressOf(responses).bodySeq, ack) >= 0
}

/** Body bytes without chunk framing. */
export function messageBody(stream: MessageStream, at: usize, end: usize): void {
  const exchange = exchangeOf(stream)
  if (exchange !== null) appendBody(stream, exchange, at, end)
}

/** The message is complete, and the parser continues in HEAD. `seq` is the number of the first byte after it. */
export function completeMessage(stream: MessageStream, seq: i32): void {
  const exchange = exchangeOf(stream)
  const isResponse = stream.isResponse
  if (isResponse) {
    noteAnswer(connectionOf(stream), seq, progressOf(stream).partialAck, exchange === null)
    noteResponsePart(connectionOf(stream), progressOf(stream).bodySeq, seq)
  }
  progressOf(stream).exchange = null
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
  const exchange = exchangeOf(stream)
  if (exchange !== null) abandon(exchange, reason)
}

/** The stream ends at `seq`, before the body of its message does. @param reason why the stream ends */
export function cutMessageShort(stream: MessageStream, seq: i32, reason: i8): void {
  const exchange = exchangeOf(stream)
  if (exchange === null) return
  const isWhole =
    stream.isResponse && exchange.requestDone && !exchange.abandoned && !hasMissedBytes(connectionOf(stream))
  const isProven = !exchange.contested && !exchange.unconfirmed
  if (!Settings.incompleteResponses || !isWhole || !isProven) {
    // The client may have left out the body of an upload that was refused, or the close may have cut it off.
    const isUnsent = !stream.isResponse && progressOf(stream).bodyBytes === 0 && exchange.responseDone
    abandon(exchange, isUnsent && reason === REASON_CLOSED ? REASON_DOUBTFUL : reason)
    return
  }
  responseOf(exchange).anomalies |= <u16>ANOMALY_INCOMPLETE
  completeMessage(stream, seq)
}

/** The stream has lost its place (place.ts). An unknown number of messages may be missing here. */
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
  const exchange = exchangeOf(responses)
  if (responses.state === TO_CLOSE) abandonToClose(connection, reason)
  else if (exchange !== null) markContested(exchange, reason)
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
  const exchange = exchangeOf(stream)
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
  abandonOpen(stream, stream.isResponse && hasMissedBytes(connection) ? REASON_GAP : reason)
  if (!stream.isResponse) return
  settleMatch(connection, reason === REASON_CLOSED)
  checkContestedEnd(connection, serverStream(connection).nextSeq)
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

/** @param reason a REASON_ value, unless the connection shows a better one */
function endWaiting(exchange: Exchange, reason: i8): void {
  const connection = exchange.connection
  stopDeadline(exchange)
  if (connection.confirming === exchange) settleMatch(connection, false)
  else if (connection.contested === exchange) reject(connection)
  else abandon(exchange, unansweredReason(connection, exchange, reason))
}

/**
 * A response would extend to the end of the connection, but the client continues: its end is unknown.
 *
 * @param reason a REASON_ value
 */
export function abandonToClose(connection: Connection, reason: i8): void {
  const responses = responsesOf(connection)
  abandonOpen(responses, reason)
  responses.state = SEEK
  doubtResponses(connection, reason)
}

/** Counts for the assembler and for the connection's interface. */
export function countMessage(connection: Connection, counter: usize): void {
  count(counter)
  countOf(connection.flow.interfaceId, counter)
}

/** Abandons the message in progress, if any. */
function abandonOpen(stream: MessageStream, reason: i8): void {
  const exchange = exchangeOf(stream)
  if (exchange === null) return
  progressOf(stream).exchange = null
  if (stream.isResponse) exchange.responseOpen = false
  else exchange.requestOpen = false
  abandon(exchange, reason)
}
