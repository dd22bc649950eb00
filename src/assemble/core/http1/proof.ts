/**
 * The proof of a pairing where order proves nothing: after a loss, and on a connection first seen midstream (docs/pairing.md).
 *
 * A client that does not pipeline sends a request after it has received everything before it, so the request's acknowledgement
 * number is where its response begins. When the server answers, it has received that request and nothing after it, so the
 * response's acknowledgement number is where the request ended. `prove` requires both, for exactly one waiting request. On a
 * connection that has pipelined they prove nothing.
 *
 * A pair that is matched so is unconfirmed: another request, pipelined and lost, may have the same numbers. A pair is contested
 * if its client has sent new bytes before the response seemed complete: the response may have been read past its end.
 *
 *     waiting ─┬─ prove ──▶ unconfirmed ──complete──▶ confirming ─┬─ the next request acknowledges exactly its end ──▶ emitted
 *              │                                                  ├─ the server closes right after it ──▶ emitted
 *              │                                                  └─ another response, or another loss ──▶ abandoned
 *              └─ in order (pairing.ts) ─┬─ complete ──▶ emitted
 *                                        └─ the client continues, then complete ──▶ contested ─┬─ the next response, or the
 *                                                                                              │  FIN, is at its end ──▶ emitted
 *                                                                                              └─ anything else ──▶ abandoned
 *
 * Invariant: at most one pair of a connection is confirming, and at most one is contested. Both are complete, and both have a
 * deadline (deadlines.ts), after which `settleMatch` or `reject` decides.
 */
import { timerStart } from '../clock'
import { REASON_DOUBTFUL, REASON_OVERSIZE } from '../reasons'
import { seqDiff } from '../tcp/seq'
import { behind, Connection, Exchange, OVERLAP_REQUESTS, requestOf, responseOf } from './connection'
import { startDeadline, stopDeadline } from './deadlines'
import { doubtResponses } from './doubts'
import { abandon, emit, settle } from './outcomes'

/**
 * Limit of waiting requests that are searched for the one that a response answers. More wait only if the client
 * pipelines, and then sequence numbers prove nothing.
 */
const LONGEST_PROVABLE_QUEUE: i32 = 64

/** Both messages are complete: emits the pair, or waits for its confirmation. */
export function conclude(exchange: Exchange): void {
  const connection = exchange.connection
  if (hasContinuedInBody(exchange)) {
    doubtResponses(connection, REASON_DOUBTFUL)
    abandon(exchange, REASON_DOUBTFUL)
    return
  }
  if (exchange.contested) {
    contest(connection, exchange)
    return
  }
  if (!exchange.unconfirmed) {
    emit(exchange)
    return
  }
  connection.confirming = exchange
  const first = connection.first
  if (first !== null) resolve(connection, first.ackFirst)
  else startDeadline(exchange, timerStart())
}

/**
 * Whether what was read as the request's body begins with another request that acknowledges the whole response, some of which was
 * captured later: the body was left out.
 */
function hasContinuedInBody(exchange: Exchange): bool {
  return exchange.headInBody && seqDiff(responseOf(exchange).endSeq, exchange.headInBodyAck) >= 0
}

/**
 * The server has sent [from, end) as part of one response, not as its beginning. A client that began a request when it had received
 * only what is in front of one of these bytes pipelines: for OVERLAP_REQUESTS requests, numbers prove no match.
 */
export function noteResponsePart(connection: Connection, from: i32, end: i32): void {
  if (connection.pipelining) return
  if (connection.begunKnown && isBetween(connection.begunAck, from, end)) connection.overlapping = OVERLAP_REQUESTS
  // A single request is the one that began last.
  if (connection.begunKnown && connection.queued < 2) return
  if (<i32>connection.queued > LONGEST_PROVABLE_QUEUE) return
  // Several requests may have been delivered before these bytes, where the capture is not in order.
  let exchange = connection.first
  while (exchange !== null) {
    if (isBetween(exchange.ackFirst, from, end)) connection.overlapping = OVERLAP_REQUESTS
    exchange = behind(connection, exchange)
  }
}

function isBetween(seq: i32, from: i32, end: i32): bool {
  return seqDiff(from, seq) >= 0 && seqDiff(seq, end) > 0
}

/**
 * The bytes after this exchange's request are no request, or were lost: no next request will show where the response ends.
 *
 * @param reason REASON_DOUBTFUL, or why they were lost
 */
export function markContested(exchange: Exchange, reason: i8): void {
  exchange.contested = true
  if (reason !== REASON_DOUBTFUL) abandon(exchange, reason)
}

/**
 * A message of an abandoned exchange is complete. If it is a contested response, nothing will confirm its end, and if it was
 * matched by its numbers, nothing will confirm that match.
 */
export function completeAbandoned(exchange: Exchange, isResponse: bool): void {
  const connection = exchange.connection
  if (isResponse && exchange.unconfirmed) connection.responseDoubt = true
  // A message that is only too large was framed like any other, so the next response begins where it ends.
  if (isResponse && exchange.contested && exchange.reason !== REASON_OVERSIZE) {
    const first = connection.first
    if (first === null || first.ackFirst !== responseOf(exchange).endSeq) doubtResponses(connection, exchange.reason)
  }
  settle(exchange)
}

/**
 * Another response begins at `seq`, or the server's stream ends there. The contested response was read to its real end only if
 * that is exactly where it seemed to end.
 */
export function checkContestedEnd(connection: Connection, seq: i32): void {
  const exchange = connection.contested
  if (exchange === null) return
  if (responseOf(exchange).endSeq !== seq) {
    reject(connection)
    return
  }
  connection.contested = null
  stopDeadline(exchange)
  emit(exchange)
}

/** The bytes after the contested response are not another response. */
export function reject(connection: Connection): void {
  const exchange = connection.contested
  if (exchange === null) return
  connection.contested = null
  doubtResponses(connection, REASON_DOUBTFUL)
  abandon(exchange, REASON_DOUBTFUL)
}

/** The client has sent its next request. @param ack acknowledgement number of that request */
export function resolve(connection: Connection, ack: i32): void {
  const exchange = connection.confirming
  if (exchange === null) return
  if (responseOf(exchange).endSeq === ack) confirm(connection)
  else refute(connection)
}

/** The server has sent another response although no other request was seen: the client pipelines. */
export function refute(connection: Connection): void {
  if (connection.confirming === null) return
  connection.pipelining = true
  doubt(connection, REASON_DOUBTFUL)
}

/**
 * The client sends no further request. The match stands if nothing of the connection is missing, or if the server has
 * closed its stream right after the response, having answered all requests. A server that announces the close in its
 * response, or ends the response by it, may have left pipelined requests unanswered: the response may belong to one in
 * front of the capture, or in a gap.
 */
export function settleMatch(connection: Connection, closed: bool): void {
  const flow = connection.flow
  const confirming = connection.confirming
  const isWhole = !flow.lossy && (!flow.midstream || beginsAtZero(confirming))
  if (isWhole || (closed && !(confirming !== null && confirming.closes))) confirm(connection)
  else doubt(connection, REASON_DOUBTFUL)
}

/** The bytes that would have confirmed or refuted the match are lost. @param reason why, a REASON_ value */
export function doubt(connection: Connection, reason: i8): void {
  const exchange = connection.confirming
  if (exchange === null) return
  connection.confirming = null
  doubtResponses(connection, reason)
  abandon(exchange, REASON_DOUBTFUL)
}

function contest(connection: Connection, exchange: Exchange): void {
  const first = connection.first
  const endSeq = responseOf(exchange).endSeq
  // The segments of the two directions were captured out of order: the client had received just this response.
  if (first !== null && first.ackFirst === endSeq) emit(exchange)
  else if (exchange.unconfirmed) {
    connection.responseDoubt = true
    abandon(exchange, REASON_DOUBTFUL)
  } else {
    connection.contested = exchange
    startDeadline(exchange, timerStart())
  }
}

function confirm(connection: Connection): void {
  const exchange = connection.confirming
  if (exchange === null) return
  connection.confirming = null
  stopDeadline(exchange)
  emit(exchange)
}

/** Captures made by hand number from 0 and leave out the handshake: nothing was sent before this request. */
function beginsAtZero(exchange: Exchange | null): bool {
  return exchange !== null && requestOf(exchange).startSeq === 0 && exchange.ackFirst === 0
}

/** A 1xx response from `seq` to `endSeq` was seen: notes it for the request it belongs to, if that is certain. */
export function noteInterim(connection: Connection, seq: i32, endSeq: i32): void {
  if (<i32>connection.queued > LONGEST_PROVABLE_QUEUE) return
  let found: Exchange | null = null
  let exchange = connection.first
  while (exchange !== null) {
    if (beginsAt(exchange, seq)) {
      if (found !== null) return
      found = exchange
    }
    exchange = behind(connection, exchange)
  }
  if (found === null) return
  found.interimSeq = endSeq
  found.interimKnown = true
}

/** Whether a response to the request begins at `seq`: where the client had received everything, or behind 1xx responses from there. */
function beginsAt(exchange: Exchange, seq: i32): bool {
  return exchange.ackFirst === seq || (exchange.interimKnown && exchange.interimSeq === seq)
}

/** The one request that a response at `seq` with acknowledgement number `ack` provably answers, or null. */
export function prove(connection: Connection, seq: i32, ack: i32): Exchange | null {
  if (connection.pipelining || connection.overlapping > 0) return null
  if (<i32>connection.queued > LONGEST_PROVABLE_QUEUE) return null
  let found: Exchange | null = null
  let exchange = connection.first
  while (exchange !== null) {
    if (exchange.ackLast === seq || beginsAt(exchange, seq)) {
      if (found !== null) return null
      found = exchange
    }
    exchange = behind(connection, exchange)
  }
  if (found === null || !found.requestDone || found.abandoned || requestOf(found).endSeq !== ack) return null
  // What the client received while it sent the request must have been 1xx responses: a final one may be lost.
  if (!beginsAt(found, seq)) return null
  return found.gapBefore && found.ackBeforeGapKnown && !beganBehindGap(connection, found) ? null : found
}

/**
 * Whether a request behind a gap is one, and not the rest of a message whose beginning was lost (a body may contain
 * requests): the response before this one was seen to its end, and when it began the server had received just what is in
 * front of the request.
 */
function beganBehindGap(connection: Connection, request: Exchange): bool {
  // Nothing was answered between the gap and this request: a request lost in the gap may be answered here.
  if (request.ackBeforeGap === request.ackFirst) return false
  return connection.answeredKnown && connection.answeredAck === requestOf(request).startSeq
}
