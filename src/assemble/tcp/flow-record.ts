/**
 * A connection at rest as words of an Int32Array. This file is the only place that knows their layout:
 *
 *     +-------+---------+------+--------+-----------+-----------------+-----------------+------------+
 *     | state | streams | hash | serial | interface | stream 0        | stream 1        | protocol's |
 *     +-------+---------+------+--------+-----------+-----------------+-----------------+------------+
 *         │                                          next first fin acked reached         KEPT_WORDS
 *         └ ≥ 0: the connection is an object, in this slot (see ActiveFlows); < 0: flags of the record
 *
 * A connection is at rest while nothing of it is held, suspected or half read. What a resting connection cannot have is
 * in no record.
 */
import { type Direction, FLOW_CLOSED, FLOW_OPEN, type Flow, type Stream } from './flow.ts'
import { NO_PIECE } from './held-pieces.ts'

/** Words for what the owner of the connections knows of one (see FlowKeeper). */
const KEPT_WORDS = 9

const STATE = 0
const STREAMS = 1
const HASH = 2
const SERIAL = 3
const INTERFACE = 4
const NUMBERS = 5
/** Words of a stream's sequence numbers. */
const NEXT_SEQ = 0
const FIRST_SEQ = 1
const FIN_SEQ = 2
const ACKED = 3
const REACHED = 4
const STREAM_WORDS = 5
/** Where the owner's words begin. */
export const KEPT = NUMBERS + 2 * STREAM_WORDS
export const RECORD_WORDS = KEPT + KEPT_WORDS

/** Bits of STATE: fields with their first bit, then flags. */
const IN_RECORD = 1 << 31
const CLOSED_BY = 0
const CLOSED_BY_MASK = 7
const PROTOCOL = 3
const PROTOCOL_MASK = 3
/** The client's direction plus one. */
const CLIENT = 5
const CLIENT_MASK = 3
const VANTAGE = 7
const VANTAGE_MASK = 7
const RULE = 10
const RULE_MASK = 31
const TUNNEL = 15
const TUNNEL_MASK = 3
const IS_CLOSED = 1 << 17
const RESET_DIRECTION = 1 << 18
const MIDSTREAM = 1 << 19
const SIGNED = 1 << 20
const LOSSY = 1 << 21
const HOST_PENDING = 1 << 22
const HOP_LIMIT_PENDING = 1 << 23
const RESUMED = 1 << 24

/** Bits of STREAMS, those of stream 1 shifted by STREAM_BITS. */
const CAPTURED = 1
const KNOWN = 2
const SYN_SEEN = 4
const FIN_SEEN = 8
const ENDED = 16
const ACKED_KNOWN = 32
const STREAM_BITS = 6

/** The object's slot if the connection is one, or else a negative number. */
export const slotOf = (words: Int32Array, at: number): number => words[at + STATE]

/** Marks the connection as an object. */
export const setSlot = (words: Int32Array, at: number, slot: number): void => {
  words[at + STATE] = slot
}

/** Whether a connection's TCP state fits into a record: it is at rest, or closed, when only late segments are expected. */
export const fitsRecord = ({ state, streams: [a, b], preamble, proxied }: Flow): boolean =>
  state === FLOW_CLOSED || (isAtRest(a) && isAtRest(b) && preamble === null && proxied === null)

const isAtRest = (stream: Stream): boolean =>
  stream.held === NO_PIECE &&
  !stream.suspected &&
  !stream.otherSynSeen &&
  !stream.furtherFinSeen &&
  !stream.resetSeen &&
  !stream.urgentSeen &&
  !stream.urgentRemoved

/** Writes a connection that fits. */
export function saveFlow(flow: Flow, words: Int32Array, at: number): void {
  const [a, b] = flow.streams
  words[at + STATE] =
    IN_RECORD |
    (flow.closedBy << CLOSED_BY) |
    (flow.protocol << PROTOCOL) |
    ((flow.clientDirection + 1) << CLIENT) |
    (flow.vantage << VANTAGE) |
    (flow.rule << RULE) |
    (flow.tunnel << TUNNEL) |
    (flow.state === FLOW_CLOSED ? IS_CLOSED : 0) |
    (flow.resetDirection === 1 ? RESET_DIRECTION : 0) |
    (flow.midstream ? MIDSTREAM : 0) |
    (flow.signed ? SIGNED : 0) |
    (flow.lossy ? LOSSY : 0) |
    (flow.hostPending ? HOST_PENDING : 0) |
    (flow.hopLimitPending ? HOP_LIMIT_PENDING : 0) |
    (flow.resumed ? RESUMED : 0)
  words[at + STREAMS] =
    saveStream(a, words, at + NUMBERS) | (saveStream(b, words, at + NUMBERS + STREAM_WORDS) << STREAM_BITS)
  words[at + HASH] = flow.hash
  words[at + SERIAL] = flow.serial
  words[at + INTERFACE] = flow.interfaceId
}

/** Reads a connection into an object that is used for no other. */
export function loadFlow(flow: Flow, words: Int32Array, at: number): void {
  const state = words[at + STATE]
  flow.open(words[at + HASH], words[at + INTERFACE], words[at + SERIAL])
  flow.closedBy = (state >> CLOSED_BY) & CLOSED_BY_MASK
  flow.protocol = (state >> PROTOCOL) & PROTOCOL_MASK
  flow.clientDirection = (((state >> CLIENT) & CLIENT_MASK) - 1) as Direction | -1
  flow.vantage = (state >> VANTAGE) & VANTAGE_MASK
  flow.rule = (state >> RULE) & RULE_MASK
  flow.tunnel = (state >> TUNNEL) & TUNNEL_MASK
  flow.state = (state & IS_CLOSED) !== 0 ? FLOW_CLOSED : FLOW_OPEN
  flow.resetDirection = (state & RESET_DIRECTION) !== 0 ? 1 : 0
  flow.midstream = (state & MIDSTREAM) !== 0
  flow.signed = (state & SIGNED) !== 0
  flow.lossy = (state & LOSSY) !== 0
  flow.hostPending = (state & HOST_PENDING) !== 0
  flow.hopLimitPending = (state & HOP_LIMIT_PENDING) !== 0
  flow.resumed = (state & RESUMED) !== 0
  const bits = words[at + STREAMS]
  loadStream(flow.streams[0], bits, words, at + NUMBERS)
  loadStream(flow.streams[1], bits >> STREAM_BITS, words, at + NUMBERS + STREAM_WORDS)
}

/** @returns the stream's flags */
function saveStream(stream: Stream, words: Int32Array, at: number): number {
  words[at + NEXT_SEQ] = stream.nextSeq
  words[at + FIRST_SEQ] = stream.firstSeq
  words[at + FIN_SEQ] = stream.finSeq
  words[at + ACKED] = stream.acked
  words[at + REACHED] = stream.reached
  return (
    (stream.captured ? CAPTURED : 0) |
    (stream.known ? KNOWN : 0) |
    (stream.synSeen ? SYN_SEEN : 0) |
    (stream.finSeen ? FIN_SEEN : 0) |
    (stream.ended ? ENDED : 0) |
    (stream.ackedKnown ? ACKED_KNOWN : 0)
  )
}

function loadStream(stream: Stream, bits: number, words: Int32Array, at: number): void {
  stream.nextSeq = words[at + NEXT_SEQ]
  stream.firstSeq = words[at + FIRST_SEQ]
  stream.finSeq = words[at + FIN_SEQ]
  stream.acked = words[at + ACKED]
  stream.reached = words[at + REACHED]
  stream.captured = (bits & CAPTURED) !== 0
  stream.known = (bits & KNOWN) !== 0
  stream.synSeen = (bits & SYN_SEEN) !== 0
  stream.finSeen = (bits & FIN_SEEN) !== 0
  stream.ended = (bits & ENDED) !== 0
  stream.ackedKnown = (bits & ACKED_KNOWN) !== 0
}
