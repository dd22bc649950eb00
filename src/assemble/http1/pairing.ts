/**
 * Which response answers which request. In order and without loss that is the queue of outstanding requests (RFC 9112
 * §9.3.2). After a loss it is unknown how many messages are missing, and the pairing epoch ends: nothing is paired until
 * sequence numbers prove a match, and a doubtful pair is never made.
 *
 * The proof. A client that does not pipeline sends a request when it has received everything before: the request's
 * acknowledgement number is where its response begins. The server, answering, has received that request and nothing
 * after it: the response's acknowledgement number is where the request ended. Both must hold, for one request only; on
 * a connection that was seen to pipeline they prove nothing. The client's next request, begun at that response's end,
 * confirms the match; a second response instead refutes it, so such a pair waits for either.
 */
import { seqDiff } from '../tcp/seq.ts'
import type { HttpConnection } from './connection.ts'
import type { Exchange } from './exchange.ts'

/** What happens to exchanges that leave the queue. */
export interface ExchangeOwner {
  /** Counts the exchange as abandoned, unless it is already, and frees what it holds. */
  abandon(exchange: Exchange, reason: number): void
}

/** Appends a request to the queue and notes what its acknowledgement says about the client. */
export function enqueue(connection: HttpConnection, exchange: Exchange): void {
  const last = connection.last
  if (last !== null && !last.abandoned && !connection.requestDoubt && last.ackLast === exchange.ackFirst) {
    connection.pipelining = true
  }
  if (connection.requestDoubt) {
    connection.requestDoubt = false
    exchange.gapBefore = true
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
 * Takes the request that a response answers out of the queue.
 *
 * @param seq sequence number of the response's first byte; @param ack acknowledgement number of its segment
 * @param interim the response is a 1xx: its request stays in the queue
 * @returns the request, perhaps an abandoned one; null when there is none, or none for sure
 */
export function match(
  connection: HttpConnection,
  seq: number,
  ack: number,
  interim: boolean,
  owner: ExchangeOwner,
  lossReason: number,
): Exchange | null {
  const first = connection.first
  if (first === null) return null
  if (connection.responseDoubt || first.gapBefore) {
    const proven = prove(connection, seq, ack)
    if (proven === null) return null
    while (connection.first !== null && connection.first !== proven) {
      const skipped = connection.first
      dequeue(connection)
      owner.abandon(skipped, lossReason)
    }
    connection.responseDoubt = false
    proven.gapBefore = false
    proven.unconfirmed = true
    if (!interim) dequeue(connection)
    return proven
  }
  // The server cannot answer what it has not begun to receive: a timeout notice, say (RFC 9110 §15.5.9).
  if (seqDiff(first.request.startSeq, ack) <= 0) return null
  if (!interim) dequeue(connection)
  return first
}

/** Empties the queue. */
export function abandonQueue(connection: HttpConnection, owner: ExchangeOwner, reason: number): void {
  while (connection.first !== null) {
    const exchange = connection.first
    dequeue(connection)
    owner.abandon(exchange, reason)
  }
}

/** Takes the oldest request out of the queue. */
function dequeue(connection: HttpConnection): void {
  const exchange = connection.first
  if (exchange === null) return
  connection.first = exchange.next
  if (connection.first === null) connection.last = null
  exchange.next = null
  exchange.queued = false
  connection.queued--
}

/** The one request that provably is answered by a response at `seq` with acknowledgement `ack`, or null. */
function prove(connection: HttpConnection, seq: number, ack: number): Exchange | null {
  if (connection.pipelining) return null
  let found: Exchange | null = null
  for (let exchange = connection.first; exchange !== null; exchange = exchange.next) {
    if (exchange.ackFirst !== seq && exchange.ackLast !== seq) continue
    if (found !== null) return null
    found = exchange
  }
  if (found === null || !found.requestDone || found.abandoned || found.request.endSeq !== ack) return null
  return found.gapBefore && found.ackBeforeGapKnown && !beganBehindGap(connection, found) ? null : found
}

/**
 * Whether a request behind a gap is one, and not the rest of what the gap hid (a body may hold requests): the answer before
 * this one was seen to its end, when the server had received just what is in front of the request.
 */
function beganBehindGap(connection: HttpConnection, request: Exchange): boolean {
  // Nothing was answered between the gap and this request: what the gap hid may still be waiting, and be answered here.
  if (request.ackBeforeGap === request.ackFirst) return false
  return connection.answeredKnown && connection.answeredAck === request.request.startSeq
}
