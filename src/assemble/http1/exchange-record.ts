/**
 * A request that waits for its response, as words of an Int32Array and times of a Float64Array. This file is the only place
 * that knows their layout:
 *
 *     +-------+------+---------+----------------------------+-------------------+-----------------------+
 *     | flags | flow | numbers | the request's record       | the chain of its  | start and end, in the |
 *     |       |      | acks    | numbers, digest, sizes ... | encoded bytes     | Float64Array          |
 *     +-------+------+---------+----------------------------+-------------------+-----------------------+
 */
import { NO_REASON } from '../../ledger/reasons.ts'
import type { Exchange } from './connection.ts'

const FLAGS = 0
const FLOW = 1
const ACK_FIRST = 2
const ACK_LAST = 3
const HEAD_IN_BODY_ACK = 4
const INTERIM_SEQ = 5
const ACK_BEFORE_GAP = 6
const START_SEQ = 7
const END_SEQ = 8
const DIGEST_1 = 9
const DIGEST_2 = 10
const WIRE_BYTES = 11
const BODY_BYTES = 12
const ANOMALIES = 13
const CHAIN_FIRST = 14
const CHAIN_LAST = 15
const CHAIN_LENGTH = 16
const CHAIN_ROOM = 17
export const EXCHANGE_WORDS = 18

const START_MICROS = 0
const END_MICROS = 1
export const EXCHANGE_TIMES = 2

/** Bits of FLAGS: fields with their first bit, then flags. */
const METHOD_MASK = 255
const RULE = 8
const RULE_MASK = 31
/** A reason minus NO_REASON. */
const GAP_REASON = 13
const REASON_MASK = 31
const CONTENT_TYPE_LISTED = 1 << 18
const HEAD_IN_BODY = 1 << 19
const CONTESTED = 1 << 20
const INTERIM_KNOWN = 1 << 21
const GAP_BEFORE = 1 << 22
const ACK_BEFORE_GAP_KNOWN = 1 << 23
const UNCONFIRMED = 1 << 24
const EARLY = 1 << 25

/** Whether the exchange does nothing but wait: its request is complete, and nothing of a response was seen. */
export const isWaiting = (exchange: Exchange): boolean =>
  exchange.queued && exchange.requestDone && !exchange.responseBegun && !exchange.abandoned

/** Index of the flow of an exchange that is saved here. */
export const flowIndexAt = (words: Int32Array, at: number): number => words[at + FLOW]

/** Writes an exchange that only waits, and leaves the object without its bytes. */
export function saveExchange(
  exchange: Exchange,
  flow: number,
  words: Int32Array,
  at: number,
  times: Float64Array,
  timesAt: number,
): void {
  const { request } = exchange
  const { chain } = request
  words[at + FLAGS] =
    exchange.method |
    (exchange.rule << RULE) |
    ((exchange.gapReason - NO_REASON) << GAP_REASON) |
    (exchange.contentTypeListed ? CONTENT_TYPE_LISTED : 0) |
    (exchange.headInBody ? HEAD_IN_BODY : 0) |
    (exchange.contested ? CONTESTED : 0) |
    (exchange.interimKnown ? INTERIM_KNOWN : 0) |
    (exchange.gapBefore ? GAP_BEFORE : 0) |
    (exchange.ackBeforeGapKnown ? ACK_BEFORE_GAP_KNOWN : 0) |
    (exchange.unconfirmed ? UNCONFIRMED : 0) |
    (exchange.early ? EARLY : 0)
  words[at + FLOW] = flow
  words[at + ACK_FIRST] = exchange.ackFirst
  words[at + ACK_LAST] = exchange.ackLast
  words[at + HEAD_IN_BODY_ACK] = exchange.headInBodyAck
  words[at + INTERIM_SEQ] = exchange.interimSeq
  words[at + ACK_BEFORE_GAP] = exchange.ackBeforeGap
  words[at + START_SEQ] = request.startSeq
  words[at + END_SEQ] = request.endSeq
  words[at + DIGEST_1] = request.digest1
  words[at + DIGEST_2] = request.digest2
  words[at + WIRE_BYTES] = request.wireBytes
  words[at + BODY_BYTES] = request.bodyBytes
  words[at + ANOMALIES] = request.anomalies
  words[at + CHAIN_FIRST] = chain.first
  words[at + CHAIN_LAST] = chain.last
  words[at + CHAIN_LENGTH] = chain.length
  words[at + CHAIN_ROOM] = chain.room
  times[timesAt + START_MICROS] = request.startMicros
  times[timesAt + END_MICROS] = request.endMicros
  chain.clear()
}

/** Reads an exchange that is saved here into an object that was just reset, and is in no queue. */
export function loadExchange(
  exchange: Exchange,
  words: Int32Array,
  at: number,
  times: Float64Array,
  timesAt: number,
): void {
  const { request } = exchange
  const { chain } = request
  const flags = words[at + FLAGS]
  exchange.requestDone = true
  exchange.method = flags & METHOD_MASK
  exchange.rule = (flags >> RULE) & RULE_MASK
  exchange.gapReason = ((flags >> GAP_REASON) & REASON_MASK) + NO_REASON
  exchange.contentTypeListed = (flags & CONTENT_TYPE_LISTED) !== 0
  exchange.headInBody = (flags & HEAD_IN_BODY) !== 0
  exchange.contested = (flags & CONTESTED) !== 0
  exchange.interimKnown = (flags & INTERIM_KNOWN) !== 0
  exchange.gapBefore = (flags & GAP_BEFORE) !== 0
  exchange.ackBeforeGapKnown = (flags & ACK_BEFORE_GAP_KNOWN) !== 0
  exchange.unconfirmed = (flags & UNCONFIRMED) !== 0
  exchange.early = (flags & EARLY) !== 0
  exchange.ackFirst = words[at + ACK_FIRST]
  exchange.ackLast = words[at + ACK_LAST]
  exchange.headInBodyAck = words[at + HEAD_IN_BODY_ACK]
  exchange.interimSeq = words[at + INTERIM_SEQ]
  exchange.ackBeforeGap = words[at + ACK_BEFORE_GAP]
  request.startSeq = words[at + START_SEQ]
  request.endSeq = words[at + END_SEQ]
  request.digest1 = words[at + DIGEST_1]
  request.digest2 = words[at + DIGEST_2]
  request.wireBytes = words[at + WIRE_BYTES]
  request.bodyBytes = words[at + BODY_BYTES]
  request.anomalies = words[at + ANOMALIES]
  chain.first = words[at + CHAIN_FIRST]
  chain.last = words[at + CHAIN_LAST]
  chain.length = words[at + CHAIN_LENGTH]
  chain.room = words[at + CHAIN_ROOM]
  request.startMicros = times[timesAt + START_MICROS]
  request.endMicros = times[timesAt + END_MICROS]
}
