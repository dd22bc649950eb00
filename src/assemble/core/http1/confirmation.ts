/**
 * Complete pairs that have to be confirmed before they are emitted:
 *
 * - a pair that was matched by sequence numbers (see pairing.ts) waits for the client's next request;
 * - a pair whose client has sent new bytes before the response seemed complete waits for the server's next response, which
 *   has to begin right after it. Otherwise the client pipelines, or the response was read past its end.
 *
 * At most one pair of a connection waits for each of the two.
 */
import { timerStart } from '../clock'
import { REASON_DOUBTFUL, REASON_OVERSIZE } from '../reasons'
import { Connection, doubtResponses, Exchange, requestOf, responseOf } from './connection'
import { startDeadline, stopDeadline } from './deadlines'
import { abandon, emit, settle } from './outcomes'

/** Both messages are complete: emits the pair, or waits for its confirmation. */
export function conclude(exchange: Exchange): void {
  const connection = exchange.connection
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
 * What follows this exchange's request is no request, or was lost: then nothing shows where the response ends.
 *
 * @param reason REASON_DOUBTFUL, or why it was lost
 */
export function forgo(exchange: Exchange, reason: i8): void {
  exchange.contested = true
  if (reason !== REASON_DOUBTFUL) abandon(exchange, reason)
}

/** A message of an abandoned exchange is complete. If it is a contested response, nothing will confirm its end. */
export function completeAbandoned(exchange: Exchange, isResponse: bool): void {
  const connection = exchange.connection
  // A message that is only too large was framed like any other, so the next response begins where it ends.
  if (isResponse && exchange.contested && exchange.reason !== REASON_OVERSIZE) {
    const first = connection.first
    if (first === null || first.ackFirst !== responseOf(exchange).endSeq) doubtResponses(connection, exchange.reason)
  }
  settle(exchange)
}

/**
 * Another response begins at `seq`, or the stream ends there: right behind the last response, if that was read
 * rightly.
 */
export function uphold(connection: Connection, seq: i32): void {
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

/** What follows the last response is not another one. */
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

/** What would have confirmed or refuted the match is lost. @param reason why, a REASON_ value */
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
  else if (exchange.unconfirmed) abandon(exchange, REASON_DOUBTFUL)
  else {
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
