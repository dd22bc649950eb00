/**
 * Decides which response answers which request. In order and without loss it is the oldest outstanding request (RFC
 * 9112 §9.3.2). After a loss an unknown number of messages is missing and the order proves nothing: responses pair only
 * with requests that sequence numbers prove they answer.
 *
 * The proof: a client that does not pipeline sends a request after it has received everything before it, so the
 * request's acknowledgement number is where its response begins. When the server answers, it has received that request
 * and nothing after it, so the response's acknowledgement number is where the request ended. Both must hold for exactly
 * one request. On a connection that has pipelined they prove nothing. The client's next request confirms the match if
 * it acknowledges that response and nothing beyond; a second response without another request refutes it. See
 * docs/pairing.md.
 */

import { NO_REASON, REASON_GAP } from '../../ledger/reasons.ts'
import { seqDiff } from '../tcp/seq.ts'
import type { Exchange, HttpConnection } from './connection.ts'

/**
 * Limit of waiting requests that are searched for the one that a response answers. More wait only if the client
 * pipelines, and then sequence numbers prove nothing.
 */
const LONGEST_PROVABLE_QUEUE = 64

/** Receives exchanges that leave the queue without a response. */
export interface ExchangeOwner {
  /** Counts the exchange as abandoned, unless it already is, and frees what it holds. */
  abandon(exchange: Exchange, reason: number): void
}

/** Appends a request to the queue, and notes whether the client pipelines. */
export function enqueue(connection: HttpConnection, exchange: Exchange): void {
  const last = connection.last
  if (last !== null && !last.abandoned && !connection.requestDoubt && last.ackLast === exchange.ackFirst) {
    connection.pipelining = true
  }
  if (connection.requestDoubt) {
    connection.requestDoubt = false
    exchange.gapBefore = true
    exchange.gapReason = connection.requestDoubtReason
    exchange.ackBeforeGap = connection.ackBeforeGap
    exchange.ackBeforeGapKnown = connection.ackBeforeGapKnown
  }
  exchange.queued = true
  if (last === null) connection.first = exchange
  else last.next = exchange
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
export function match(
  connection: HttpConnection,
  seq: number,
  ack: number,
  interim: boolean,
  owner: ExchangeOwner,
): Exchange | null {
  const first = connection.first
  if (first === null) return null
  if (connection.responseDoubt || first.gapBefore) {
    const proven = prove(connection, seq, ack)
    if (proven === null) return null
    while (connection.first !== null && connection.first !== proven) {
      const skipped = connection.first
      dequeue(connection)
      owner.abandon(skipped, unansweredReason(connection, skipped, REASON_GAP))
    }
    connection.responseDoubt = false
    proven.gapBefore = false
    proven.unconfirmed = true
    if (!interim) dequeue(connection)
    return proven
  }
  // A server cannot answer a request of which it has received nothing: this is a timeout notice, for example
  // (RFC 9110 §15.5.9).
  if (seqDiff(first.request.startSeq, ack) <= 0) return null
  if (!interim) dequeue(connection)
  return first
}

/** Abandons all waiting requests. @param reason for those whose response was neither lost nor doubtful */
export function abandonQueue(connection: HttpConnection, owner: ExchangeOwner, reason: number): void {
  while (connection.first !== null) {
    const exchange = connection.first
    dequeue(connection)
    owner.abandon(exchange, unansweredReason(connection, exchange, reason))
  }
}

/**
 * Why a request is abandoned without a response: its response was lost, or what came could not be proved to be it.
 *
 * @param otherwise the reason if the server sent nothing after the request
 */
export function unansweredReason(connection: HttpConnection, exchange: Exchange, otherwise: number): number {
  const server = connection.serverStream
  if (missed(connection)) return REASON_GAP
  if (!server.known || seqDiff(exchange.ackLast, server.nextSeq) <= 0) return otherwise
  if (connection.responseDoubt && connection.responseDoubtReason !== NO_REASON) return connection.responseDoubtReason
  return exchange.gapBefore && exchange.gapReason !== NO_REASON ? exchange.gapReason : otherwise
}

/** Whether the client has acknowledged bytes of the server that were not captured, more than a FIN. */
export const missed = (connection: HttpConnection): boolean => missedBytes(connection) > 1

/** How much the client has acknowledged of the server beyond what was captured; a FIN counts as one byte. */
export function missedBytes({ serverStream: server }: HttpConnection): number {
  return server.known && server.ackedKnown ? Math.max(0, seqDiff(server.nextSeq, server.acked)) : 0
}

/** Why a response has no request: a REASON_ value, or NO_REASON if no request was captured that it could answer. */
export function orphanReason(connection: HttpConnection): number {
  // Only the server's direction is captured.
  if (!connection.serverStream.ackedKnown && !connection.flow?.resumed) return NO_REASON
  const { first } = connection
  if (connection.requestsLost) return connection.requestDoubtReason
  if (first?.gapBefore && first.gapReason !== NO_REASON) return first.gapReason
  return connection.responseDoubt ? connection.responseDoubtReason : NO_REASON
}

/** A 1xx response from `seq` to `endSeq` was seen: notes it for the request it belongs to, if that is certain. */
export function noteInterim(connection: HttpConnection, seq: number, endSeq: number): void {
  if (connection.queued > LONGEST_PROVABLE_QUEUE) return
  let found: Exchange | null = null
  for (let exchange = connection.first; exchange !== null; exchange = exchange.next) {
    if (exchange.ackFirst !== seq && !(exchange.interimKnown && exchange.interimSeq === seq)) continue
    if (found !== null) return
    found = exchange
  }
  if (found === null) return
  found.interimSeq = endSeq
  found.interimKnown = true
}

/** Removes the oldest request from the queue. */
function dequeue(connection: HttpConnection): void {
  const exchange = connection.first
  if (exchange === null) return
  connection.first = exchange.next
  if (connection.first === null) connection.last = null
  exchange.next = null
  exchange.queued = false
  connection.queued--
}

/** The one request that a response at `seq` with acknowledgement number `ack` provably answers, or null. */
function prove(connection: HttpConnection, seq: number, ack: number): Exchange | null {
  if (connection.pipelining || connection.queued > LONGEST_PROVABLE_QUEUE) return null
  let found: Exchange | null = null
  for (let exchange = connection.first; exchange !== null; exchange = exchange.next) {
    if (exchange.ackFirst !== seq && exchange.ackLast !== seq) continue
    if (found !== null) return null
    found = exchange
  }
  if (found === null || !found.requestDone || found.abandoned || found.request.endSeq !== ack) return null
  // What the client received while it sent the request must have been 1xx responses: a final one may be lost.
  if (found.ackFirst !== seq && !(found.interimKnown && found.interimSeq === seq)) return null
  return found.gapBefore && found.ackBeforeGapKnown && !beganBehindGap(connection, found) ? null : found
}

/**
 * Whether a request behind a gap is one, and not the rest of a message whose beginning was lost (a body may contain
 * requests): the response before this one was seen to its end, when the server had received just what is in front of
 * the request.
 */
function beganBehindGap(connection: HttpConnection, request: Exchange): boolean {
  // Nothing was answered between the gap and this request: a request lost in the gap may be answered here.
  if (request.ackBeforeGap === request.ackFirst) return false
  return connection.answeredKnown && connection.answeredAck === request.request.startSeq
}
