/**
 * Whether a segment belongs to the flow that has its addresses and ports, or starts a new connection there.
 *
 * A tuple is reused when a client chooses the same port again, when a capture is replayed, and when a tunnel or a
 * second capture point shows packets twice.
 */
import { END_FIN, END_RESET } from '../../ledger/reasons.ts'
import { FLAG_ACK, FLAG_RST, FLAG_SYN } from '../../net/tcp-header.ts'
import { FLOW_CLOSED, type Flow } from './flow.ts'
import { continuesConnection, hasDelivered, isFormerSyn, isNewData, isRepeatedSyn, rememberSyn } from './handshake.ts'
import type { TcpSegment } from './segment.ts'

/** How long a closed flow's tuple absorbs late segments. */
export const LINGER_MICROS = 10_000_000
/** A frame captured twice, or late, follows its connection's other frames by less than this. */
export const TWIN_MICROS = 5_000
/** A late copy of a connection's SYN follows the next connection's beginning by less than this. */
const LATE_SYN_MICROS = 1_000_000

/** Results of `judgeSegment`. */
/** The segment belongs to the flow. */
export const CONTINUES = 0
/** It starts another connection; the flow is over. */
export const STARTS = 1
/** It follows a SYN that was only remembered (`rememberSyn`), and so confirms that SYN. */
export const CONFIRMS_SYN = 2
/** It belongs to a connection that is over: the flow, which is closed, or the one before it. */
export const COMES_LATE = 3
/** It belongs to no connection, or a later segment shows to which. */
const UNDECIDED = 4

/** Whether a segment of an unknown tuple starts a connection there. */
export const startsConnection = ({ flags, length }: TcpSegment): boolean =>
  ((flags & FLAG_SYN) !== 0 || length > 0) && (flags & FLAG_RST) === 0

/** Whether one of its ends has sent a RST that may have been obeyed. */
export const mayBeReset = ({ streams: [a, b] }: Flow): boolean => a.resetSeen || b.resetSeen

/**
 * @param flow that has the segment's tuple, open or closed
 * @param micros packet time of the segment; @param lastMicros of the flow's last one
 * @returns CONTINUES, STARTS, CONFIRMS_SYN, COMES_LATE or UNDECIDED
 */
export function judgeSegment(flow: Flow, segment: TcpSegment, micros: number, lastMicros: number): number {
  const silence = Math.abs(micros - lastMicros)
  const { flags } = segment
  const isSyn = (flags & FLAG_SYN) !== 0
  if (isSyn && comesFromFormer(flow, segment, micros)) return COMES_LATE
  if (flow.state === FLOW_CLOSED) {
    if (!startsConnection(segment)) return COMES_LATE
    if (!isSyn && confirmsSyn(flow, segment)) return CONFIRMS_SYN
    const starts = isSyn ? synStarts(flow, segment) : dataStarts(flow, segment, silence)
    return starts ? STARTS : COMES_LATE
  }
  if (!isSyn) return confirmsSyn(flow, segment) ? CONFIRMS_SYN : CONTINUES
  return (flags & FLAG_ACK) === 0 ? judgeSyn(flow, segment, silence <= TWIN_MICROS) : judgeSynAck(flow, segment)
}

/**
 * Whether a SYN or SYN-ACK is a late copy from the connection before this one: both ends have moved on. Traffic that is
 * replayed repeats its SYNs too, but later.
 */
function comesFromFormer(flow: Flow, { direction, seq }: TcpSegment, micros: number): boolean {
  const { reusedMicros } = flow
  if (reusedMicros === 0 || Math.abs(micros - reusedMicros) > LATE_SYN_MICROS) return false
  const stream = flow.streams[direction]
  return isFormerSyn(stream, seq) && !isRepeatedSyn(stream, seq)
}

/**
 * Whether a SYN on a closed flow's tuple starts another connection. A client does not repeat a SYN once both ends have
 * closed, but a server may repeat its SYN-ACK.
 */
const synStarts = ({ streams }: Flow, { direction, seq, flags }: TcpSegment): boolean =>
  (flags & FLAG_ACK) === 0 || !isRepeatedSyn(streams[direction], seq)

/** Whether data on a closed flow's tuple belongs to another connection, and is not a late segment of the old one. */
function dataStarts(flow: Flow, { direction, seq, length }: TcpSegment, silence: number): boolean {
  if (silence > LINGER_MICROS) return true
  // Only the sender of a RST can have more to send: its peer's segments were in flight already.
  if (flow.closedBy === END_RESET && direction !== flow.resetDirection) return false
  if (flow.closedBy !== END_RESET && flow.closedBy !== END_FIN) return true
  return isNewData(flow.streams[direction], seq, length)
}

/** Whether a segment without SYN is the first one after a SYN that was only remembered. */
function confirmsSyn({ streams }: Flow, { direction, seq, flags }: TcpSegment): boolean {
  const stream = streams[direction]
  if (!stream.otherSynSeen || (flags & FLAG_RST) !== 0) return false
  return seq === stream.rare.otherFirstSeq && seq !== stream.firstSeq
}

/**
 * A SYN on an open flow's tuple. Where the connection has carried data it may be a stray one, which the server
 * challenges while the connection continues (RFC 9293 §3.10.7.4, RFC 5961 §4), or a capture that is being replayed or
 * read again: the segments after it decide.
 *
 * @param isTwin it follows the flow's last segment so closely that it may be the same packet, captured twice
 */
function judgeSyn(flow: Flow, { direction, seq, length }: TcpSegment, isTwin: boolean): number {
  const stream = flow.streams[direction]
  const continues = continuesConnection(flow, direction, seq, FLAG_SYN)
  if (continues && isTwin) return CONTINUES
  if (!hasDelivered(stream)) return continues ? CONTINUES : STARTS
  if (!continues && (length > 0 || mayBeReset(flow))) return STARTS
  rememberSyn(stream, seq)
  return continues ? CONTINUES : UNDECIDED
}

/** A SYN-ACK on an open flow's tuple. */
function judgeSynAck(flow: Flow, { direction, seq, ack, flags }: TcpSegment): number {
  const stream = flow.streams[direction]
  const client = flow.streams[1 - direction]
  if (client.otherSynSeen && ack === client.rare.otherFirstSeq) return STARTS
  if (continuesConnection(flow, direction, seq, flags)) return CONTINUES
  if (!client.synSeen || ack !== client.firstSeq || hasDelivered(stream)) return STARTS
  // Two SYN-ACKs to one SYN, as stateless load balancers cause them: the client accepts one.
  rememberSyn(stream, seq)
  return UNDECIDED
}
