/**
 * What is known of an idle connection that carries HTTP/1, as words of an Int32Array. This file is the only place that knows
 * their layout:
 *
 *     +-------+--------------+-------------+-------------+-----------+----------+------------------+-------------------+---------+
 *     | flags | ackBeforeGap | answeredSeq | answeredAck | orphanSeq | begunAck | requests.lastAck | responses.lastAck | waiting |
 *     +-------+--------------+-------------+-------------+-----------+----------+------------------+-------------------+---------+
 *
 * A connection is idle between messages: at most one request waits, which has a record too (see ExchangeTable), and no pair
 * waits for its proof.
 */
import { NO_REASON } from '../../ledger/reasons.ts'
import type { HttpConnection, MessageStream } from './connection.ts'
import { NO_EXCHANGE } from './deadlines.ts'
import { isWaiting } from './exchange-record.ts'
import { HEAD, OPAQUE, SEEK } from './stream-states.ts'

const FLAGS = 0
const ACK_BEFORE_GAP = 1
const ANSWERED_SEQ = 2
const ANSWERED_ACK = 3
const ORPHAN_SEQ = 4
const BEGUN_ACK = 5
const REQUESTS_LAST_ACK = 6
const RESPONSES_LAST_ACK = 7
/** Index of the exchange whose request waits, or NO_EXCHANGE. */
const WAITING = 8

/** Bits of FLAGS: fields with their first bit, then flags. */
const REQUESTS_STATE = 0
const RESPONSES_STATE = 4
const STATE_MASK = 15
/** Reasons minus NO_REASON. */
const RESPONSE_REASON = 8
const REQUEST_REASON = 13
const REASON_MASK = 31
const RESPONSE_DOUBT = 1 << 18
const REQUEST_DOUBT = 1 << 19
const ACK_BEFORE_GAP_KNOWN = 1 << 20
const ANSWERED_KNOWN = 1 << 21
const ORPHAN_KNOWN = 1 << 22
const BEGUN_KNOWN = 1 << 23
const PIPELINING = 1 << 24
const RECOGNISED = 1 << 25
const REQUESTS_ACK_KNOWN = 1 << 26
const RESPONSES_ACK_KNOWN = 1 << 27
/** There is a connection. */
const SAVED = 1 << 28

/** Whether no message of the connection is in progress, so that `saveConnection` may save it. */
export const isIdle = (http: HttpConnection): boolean =>
  (http.first === null || (http.queued === 1 && isWaiting(http.first))) &&
  http.confirming === null &&
  http.contested === null &&
  isBetweenMessages(http.requests) &&
  isBetweenMessages(http.responses)

const isBetweenMessages = ({ state, exchange }: MessageStream): boolean =>
  exchange === null && (state === HEAD || state === SEEK || state === OPAQUE)

/** Whether a connection is saved here. */
export const isSaved = (words: Int32Array, at: number): boolean => words[at + FLAGS] !== 0

/** Index of the exchange whose request waits on a connection that is saved here, or NO_EXCHANGE. */
export const waitingAt = (words: Int32Array, at: number): number => words[at + WAITING]

/** Writes an idle connection; null: the flow carries no HTTP/1. */
export function saveConnection(http: HttpConnection | null, words: Int32Array, at: number): void {
  if (http === null) {
    words[at + FLAGS] = 0
    return
  }
  const { requests, responses } = http
  words[at + FLAGS] =
    SAVED |
    (requests.state << REQUESTS_STATE) |
    (responses.state << RESPONSES_STATE) |
    ((http.responseDoubtReason - NO_REASON) << RESPONSE_REASON) |
    ((http.requestDoubtReason - NO_REASON) << REQUEST_REASON) |
    (http.responseDoubt ? RESPONSE_DOUBT : 0) |
    (http.requestDoubt ? REQUEST_DOUBT : 0) |
    (http.ackBeforeGapKnown ? ACK_BEFORE_GAP_KNOWN : 0) |
    (http.answeredKnown ? ANSWERED_KNOWN : 0) |
    (http.orphanKnown ? ORPHAN_KNOWN : 0) |
    (http.begunKnown ? BEGUN_KNOWN : 0) |
    (http.pipelining ? PIPELINING : 0) |
    (http.recognised ? RECOGNISED : 0) |
    (requests.ackKnown ? REQUESTS_ACK_KNOWN : 0) |
    (responses.ackKnown ? RESPONSES_ACK_KNOWN : 0)
  words[at + WAITING] = http.first?.index ?? NO_EXCHANGE
  words[at + ACK_BEFORE_GAP] = http.ackBeforeGap
  words[at + ANSWERED_SEQ] = http.answeredSeq
  words[at + ANSWERED_ACK] = http.answeredAck
  words[at + ORPHAN_SEQ] = http.orphanSeq
  words[at + BEGUN_ACK] = http.begunAck
  words[at + REQUESTS_LAST_ACK] = requests.lastAck
  words[at + RESPONSES_LAST_ACK] = responses.lastAck
}

/** Reads a connection that is saved here into an object that was just opened; not the request that waits. */
export function loadConnection(http: HttpConnection, words: Int32Array, at: number): void {
  const { requests, responses } = http
  const flags = words[at + FLAGS]
  requests.state = (flags >> REQUESTS_STATE) & STATE_MASK
  responses.state = (flags >> RESPONSES_STATE) & STATE_MASK
  http.responseDoubtReason = ((flags >> RESPONSE_REASON) & REASON_MASK) + NO_REASON
  http.requestDoubtReason = ((flags >> REQUEST_REASON) & REASON_MASK) + NO_REASON
  http.responseDoubt = (flags & RESPONSE_DOUBT) !== 0
  http.requestDoubt = (flags & REQUEST_DOUBT) !== 0
  http.ackBeforeGapKnown = (flags & ACK_BEFORE_GAP_KNOWN) !== 0
  http.answeredKnown = (flags & ANSWERED_KNOWN) !== 0
  http.orphanKnown = (flags & ORPHAN_KNOWN) !== 0
  http.begunKnown = (flags & BEGUN_KNOWN) !== 0
  http.pipelining = (flags & PIPELINING) !== 0
  http.recognised = (flags & RECOGNISED) !== 0
  requests.ackKnown = (flags & REQUESTS_ACK_KNOWN) !== 0
  responses.ackKnown = (flags & RESPONSES_ACK_KNOWN) !== 0
  http.ackBeforeGap = words[at + ACK_BEFORE_GAP]
  http.answeredSeq = words[at + ANSWERED_SEQ]
  http.answeredAck = words[at + ANSWERED_ACK]
  http.orphanSeq = words[at + ORPHAN_SEQ]
  http.begunAck = words[at + BEGUN_ACK]
  requests.lastAck = words[at + REQUESTS_LAST_ACK]
  responses.lastAck = words[at + RESPONSES_LAST_ACK]
}
