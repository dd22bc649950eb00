/**
 * What may be missing of a connection: where requests or responses were lost, or precede the capture, their order
 * proves nothing (pairing.ts). A request that follows takes over what is noted of lost requests.
 *
 *     certain ──startInDoubt, resume, a loss──▶ in doubt ──a proven match, or beginBoth──▶ certain
 */
import { NO_REASON, REASON_GAP, REASON_RESET } from '../reasons'
import { hasDelivered } from '../tcp/handshake'
import { seqDiff } from '../tcp/seq'
import {
  Connection,
  clientStream,
  doubtsOf,
  progressOf,
  requestOf,
  requestsOf,
  responsesOf,
  serverStream,
} from './connection'
import { HEAD, HEAD_PART, SEEK } from './stream-states'

/** Requests were lost behind the last one, or what follows it is no request. */
export function requestsLost(connection: Connection): bool {
  return connection.requestDoubt && requestsOf(connection).doubtReason !== NO_REASON
}

/**
 * A final response has ended before `seq`, which began in a segment with acknowledgement number `ack`.
 *
 * @param isOrphan no request was waiting for it
 */
export function noteAnswer(connection: Connection, seq: i32, ack: i32, isOrphan: bool): void {
  connection.answeredSeq = seq
  connection.answeredAck = ack
  connection.answeredKnown = true
  if (!isOrphan) return
  doubtsOf(connection).orphanSeq = seq
  connection.orphanKnown = true
}

/**
 * The requests before this point were not captured.
 *
 * @param fromStart they begin with the connection, when the client had received up to `serverSeq`
 */
export function startInDoubt(connection: Connection, fromStart: bool, serverSeq: i32): void {
  const requests = requestsOf(connection)
  requests.state = SEEK
  seekResponses(connection)
  connection.requestDoubt = true
  requests.doubtReason = fromStart ? REASON_GAP : NO_REASON
  connection.ackBeforeGapKnown = fromStart
  if (fromStart) doubtsOf(connection).ackBeforeGap = serverSeq
}

/**
 * Both streams' first numbers are known now: order counts again if the first request, whose head may be incomplete, has
 * them and nothing precedes it.
 */
export function beginBoth(connection: Connection): void {
  const server = serverStream(connection)
  if (hasDelivered(server)) return
  const first = connection.first
  const requests = requestsOf(connection)
  if (first === null && requests.state !== HEAD_PART) return
  const seq = first === null ? progressOf(requests).partialSeq : requestOf(first).startSeq
  const ack = first === null ? progressOf(requests).partialAck : first.ackFirst
  // A SYN with a request acknowledges nothing.
  if (seq !== clientStream(connection).firstSeq || (ack !== server.firstSeq && ack !== 0)) return
  if (first === null) connection.requestDoubt = false
  else first.gapBefore = false
  connection.responseDoubt = false
  responsesOf(connection).state = HEAD
}

/** An unknown number of responses may precede the next one. */
export function seekResponses(connection: Connection): void {
  responsesOf(connection).state = SEEK
  doubtResponses(connection, NO_REASON)
}

/**
 * What was sent around a RST that its receiver ignored was not read.
 *
 * @param withRequest a request begins at once: that showed that the RST was ignored
 */
export function resume(connection: Connection, withRequest: bool): void {
  startInDoubt(connection, false, 0)
  const requests = requestsOf(connection)
  if (withRequest) requests.state = HEAD
  doubtResponses(connection, REASON_RESET)
  requests.doubtReason = REASON_RESET
}

/** From here on responses may be missing, or bytes that seem to be responses may be none. @param reason a REASON_ value */
export function doubtResponses(connection: Connection, reason: i8): void {
  connection.responseDoubt = true
  responsesOf(connection).doubtReason = reason
}

/**
 * An unknown number of requests is missing here.
 *
 * @param reason a REASON_ value
 * @param lastAck what the client had acknowledged before, if `ackKnown`; more may have been answered since
 */
export function doubtRequests(connection: Connection, reason: i8, lastAck: i32, ackKnown: bool): void {
  const answers = serverStream(connection)
  const more = answers.known && (!ackKnown || seqDiff(lastAck, answers.nextSeq) > 0)
  connection.requestDoubt = true
  requestsOf(connection).doubtReason = reason
  doubtsOf(connection).ackBeforeGap = more ? answers.nextSeq : lastAck
  connection.ackBeforeGapKnown = ackKnown || answers.known
}
