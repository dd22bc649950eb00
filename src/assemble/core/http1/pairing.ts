/**
 * The queue of a connection's requests, and which of them a response answers. In order and without loss it is the oldest
 * (RFC 9112 §9.3.2). After a loss an unknown number of messages is missing: a response then pairs only with the request that
 * sequence numbers prove it answers (proof.ts), and the requests before that one are abandoned.
 *
 *     enqueue ──▶ last … next ◀─ first ──▶ match: in order the first, after a loss the proven one
 *                   └───────next──────▲
 *
 * Invariants: the queue is in the order in which the requests were sent. A request leaves it with its final response;
 * one that is abandoned earlier stays, so that its response is not matched with the next request. `responseDoubt`, and
 * `gapBefore` of a request, mean that order proves nothing. They are cleared by a proven match, or where a handshake
 * that was captured late shows that nothing precedes the first request (`beginBoth` in doubts.ts).
 */
import { NO_REASON, REASON_GAP } from '../reasons'
import { seqDiff } from '../tcp/seq'
import {
  Connection,
  doubtsOf,
  Exchange,
  HUGE_BYTES,
  progressOf,
  requestOf,
  requestsOf,
  responsesOf,
  serverStream,
} from './connection'
import { doubtResponses, requestsLost } from './doubts'
import { abandon } from './outcomes'
import { prove } from './proof'

/** Appends a request to the queue, and notes whether the client pipelines. */
export function enqueue(connection: Connection, exchange: Exchange): void {
  const last = connection.last
  if (last !== null && !last.abandoned && !connection.requestDoubt && last.ackLast === exchange.ackFirst) {
    connection.pipelining = true
  }
  if (connection.overlapping > 0) connection.overlapping--
  if (connection.requestDoubt) {
    connection.requestDoubt = false
    exchange.gapBefore = true
    exchange.gapReason = requestsOf(connection).doubtReason
    exchange.ackBeforeGapKnown = connection.ackBeforeGapKnown
    if (connection.ackBeforeGapKnown) exchange.ackBeforeGap = doubtsOf(connection).ackBeforeGap
  }
  exchange.queued = true
  if (last === null) exchange.next = exchange
  else {
    exchange.next = last.next
    last.next = exchange
  }
  connection.last = exchange
  connection.queued++
}

/**
 * Finds the request that a response answers, and removes it from the queue.
 *
 * @param seq sequence number of the response's first byte
 * @param ack acknowledgement number of its segment
 * @param interim the response is a 1xx: its request stays in the queue
 * @returns the request, which may be abandoned; null if none is waiting, or none provably gets this response
 */
export function match(connection: Connection, seq: i32, ack: i32, interim: bool): Exchange | null {
  const first = connection.first
  if (first === null) return null
  if (connection.responseDoubt || first.gapBefore) return matchProven(connection, seq, ack, interim)
  // A server cannot answer a request of which it has received nothing: this is a timeout notice, for example
  // (RFC 9110 §15.5.9).
  if (!hasReceivedSome(connection, first, ack)) return null
  if (!interim) dequeue(connection, first)
  return first
}

/** Abandons all waiting requests. @param reason for those whose response was neither lost nor doubtful */
export function abandonQueue(connection: Connection, reason: i8): void {
  let exchange = connection.first
  while (exchange !== null) {
    dequeue(connection, exchange)
    abandon(exchange, unansweredReason(connection, exchange, reason))
    exchange = connection.first
  }
}

/**
 * Why a request is abandoned without a response: its response was lost, or what came could not be proved to be it.
 *
 * @param otherwise the reason if the server sent nothing after the request
 */
export function unansweredReason(connection: Connection, exchange: Exchange, otherwise: i8): i8 {
  const server = serverStream(connection)
  if (hasMissedBytes(connection)) return REASON_GAP
  if (!server.known || seqDiff(exchange.ackLast, server.nextSeq) <= 0) return otherwise
  const doubtReason = responsesOf(connection).doubtReason
  if (connection.responseDoubt && doubtReason !== NO_REASON) return doubtReason
  return exchange.gapBefore && exchange.gapReason !== NO_REASON ? exchange.gapReason : otherwise
}

/** Whether the client has acknowledged bytes of the server that were not captured, more than a FIN. */
export function hasMissedBytes(connection: Connection): bool {
  return missedBytes(connection) > 1
}

/** How much the client has acknowledged of the server beyond what was captured; a FIN counts as one byte. */
export function missedBytes(connection: Connection): i32 {
  const server = serverStream(connection)
  return server.known && server.ackedKnown ? max(0, seqDiff(server.nextSeq, server.acked)) : 0
}

/** Why a response has no request: a REASON_ value, or NO_REASON if no request was captured that it could answer. */
export function orphanReason(connection: Connection): i8 {
  // Only the server's direction is captured.
  if (!serverStream(connection).ackedKnown && !connection.flow.resumed) return NO_REASON
  if (requestsLost(connection)) return requestsOf(connection).doubtReason
  const first = connection.first
  if (first !== null && first.gapBefore && first.gapReason !== NO_REASON) return first.gapReason
  return connection.responseDoubt ? responsesOf(connection).doubtReason : NO_REASON
}

/** Matches a response as `match` does, by sequence numbers alone: the order of responses proves nothing. */
function matchProven(connection: Connection, seq: i32, ack: i32, interim: bool): Exchange | null {
  const proven = prove(connection, seq, ack)
  if (proven === null) {
    const first = changetype<Exchange>(connection.first)
    // It may answer a request that is missing, and the next ones may be one behind.
    if (!interim && !connection.responseDoubt) doubtResponses(connection, first.gapReason)
    return null
  }
  let skipped = connection.first
  while (skipped !== null && skipped !== proven) {
    dequeue(connection, skipped)
    abandon(skipped, unansweredReason(connection, skipped, REASON_GAP))
    skipped = connection.first
  }
  connection.responseDoubt = false
  proven.gapBefore = false
  proven.unconfirmed = true
  if (!interim) dequeue(connection, proven)
  return proven
}

/** Whether a segment of the server acknowledges some of a request. The numbers of a huge one may have begun anew. */
function hasReceivedSome(connection: Connection, exchange: Exchange, ack: i32): bool {
  const request = requestOf(exchange)
  if (seqDiff(request.startSeq, ack) > 0) return true
  return (exchange.requestOpen ? progressOf(requestsOf(connection)).wireBytes : request.wireBytes) >= HUGE_BYTES
}

/** Removes the oldest request from the queue. */
function dequeue(connection: Connection, first: Exchange): void {
  const last = changetype<Exchange>(connection.last)
  if (first === last) connection.last = null
  else last.next = first.next
  first.next = null
  first.queued = false
  connection.queued--
}
