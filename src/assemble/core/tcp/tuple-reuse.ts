/**
 * Whether a segment belongs to the flow that has its addresses and ports, or starts a new connection there.
 *
 * A tuple is reused when a client chooses the same port again, when a capture is replayed, and when a tunnel or a
 * second capture point shows packets twice.
 *
 *     segment     open flow                                             closed flow
 *     SYN         its own again: CONTINUES; nothing delivered yet:      its own within TWIN_MICROS: COMES_LATE;
 *                 STARTS; else remembered until a segment               else STARTS
 *                 CONFIRMS_SYN
 *     SYN-ACK     its own again: CONTINUES; of a remembered SYN:        its own again: COMES_LATE; else STARTS
 *                 STARTS; a second one for the same SYN, or the
 *                 first one for another: remembered
 *     data        follows a remembered SYN: CONFIRMS_SYN;               new bytes, or after LINGER_MICROS: STARTS;
 *                 else CONTINUES                                        else COMES_LATE
 *     RST, ACK    CONTINUES                                             COMES_LATE
 */
import { END_FIN, END_RESET } from '../reasons'
import { Flow, Stream, streamOf } from './flow'
import {
  continuesConnection,
  hasDelivered,
  isFormerSyn,
  isNewData,
  isOtherFirst,
  isRepeatedSyn,
  rememberSyn,
} from './handshake'
import { FLAG_ACK, FLAG_RST, FLAG_SYN } from './header'
import { Segment, segmentLength } from './segment'

/** How long a closed flow's tuple absorbs late segments. */
export const LINGER_MICROS: f64 = 10_000_000
/** A frame captured twice, or late, follows its connection's other frames by less than this. */
export const TWIN_MICROS: f64 = 5_000

/** Results of `judgeSegment`. */
/** The segment belongs to the flow. */
export const CONTINUES: u32 = 0
/** It starts another connection; the flow is over. */
export const STARTS: u32 = 1
/** It follows a SYN that was only remembered (`rememberSyn`), and so confirms that SYN. */
export const CONFIRMS_SYN: u32 = 2
/** It belongs to a connection that is over: the flow, which is closed, or the one before it. */
export const COMES_LATE: u32 = 3
/** It belongs to no connection, or a later segment shows to which. */
const UNDECIDED: u32 = 4

/** Whether the segment in progress, of an unknown tuple, starts a connection there. */
export function startsConnection(): bool {
  const flags = Segment.flags
  return ((flags & FLAG_SYN) !== 0 || segmentLength() > 0) && (flags & FLAG_RST) === 0
}

/** Whether one of its ends has sent a RST that may have been obeyed. */
export function mayBeReset(flow: Flow): bool {
  return resetSeen(streamOf(flow, 0)) || resetSeen(streamOf(flow, 1))
}

function resetSeen(stream: Stream): bool {
  const rare = stream.rare
  return rare !== null && rare.resetSeen
}

/**
 * Judges the segment in progress.
 *
 * @param flow that has its tuple, open or closed
 * @param micros packet time of the segment; @param lastMicros of the flow's last one
 * @returns CONTINUES, STARTS, CONFIRMS_SYN, COMES_LATE or UNDECIDED
 */
export function judgeSegment(flow: Flow, micros: f64, lastMicros: f64): u32 {
  const silence = abs(micros - lastMicros)
  const flags = Segment.flags
  const isSyn = (flags & FLAG_SYN) !== 0
  if (isSyn && comesFromFormer(flow, micros)) return COMES_LATE
  if (flow.closed) {
    if (!startsConnection()) return COMES_LATE
    if (!isSyn && confirmsSyn(flow)) return CONFIRMS_SYN
    return (isSyn ? synStarts(flow, micros - lastMicros) : dataStarts(flow, silence)) ? STARTS : COMES_LATE
  }
  if (!isSyn) return confirmsSyn(flow) ? CONFIRMS_SYN : CONTINUES
  return (flags & FLAG_ACK) === 0 ? judgeSyn(flow, silence <= TWIN_MICROS) : judgeSynAck(flow)
}

/**
 * Whether a SYN or SYN-ACK is a late copy from the connection before this one: both ends have moved on. Traffic that is
 * replayed repeats its SYNs too, but later.
 */
function comesFromFormer(flow: Flow, micros: f64): bool {
  const stream = streamOf(flow, Segment.direction)
  return isFormerSyn(stream, Segment.seq, micros) && !isRepeatedSyn(stream, Segment.seq)
}

/**
 * Whether a SYN on a closed flow's tuple starts another connection. A client does not repeat a SYN once both ends have
 * closed, but a server may repeat its SYN-ACK, and the second copy of a short connection may begin after the first has ended.
 *
 * @param after time since the flow's last segment; negative where a file is read again
 */
function synStarts(flow: Flow, after: f64): bool {
  if (!isRepeatedSyn(streamOf(flow, Segment.direction), Segment.seq)) return true
  return (Segment.flags & FLAG_ACK) === 0 && (after < 0 || after > TWIN_MICROS)
}

/** Whether data on a closed flow's tuple belongs to another connection, and is not a late segment of the old one. */
function dataStarts(flow: Flow, silence: f64): bool {
  if (silence > LINGER_MICROS) return true
  // Only the sender of a RST can have more to send: its peer's segments were in flight already.
  if (flow.closedBy === END_RESET && Segment.direction !== <u32>flow.resetDirection) return false
  if (flow.closedBy !== END_RESET && flow.closedBy !== END_FIN) return true
  return isNewData(streamOf(flow, Segment.direction), Segment.seq, segmentLength())
}

/** Whether a segment without SYN is the first one after a SYN that was only remembered. */
function confirmsSyn(flow: Flow): bool {
  const stream = streamOf(flow, Segment.direction)
  if ((Segment.flags & FLAG_RST) !== 0) return false
  return isOtherFirst(stream, Segment.seq) && !(stream.synSeen && Segment.seq === stream.firstSeq)
}

/**
 * A SYN on an open flow's tuple. Where the connection has carried data it may be a stray one, which the server
 * challenges while the connection continues (RFC 9293 §3.10.7.4, RFC 5961 §4), or a capture that is being replayed or
 * read again: the segments after it decide.
 *
 * @param isTwin it follows the flow's last segment so closely that it may be the same packet, captured twice
 */
function judgeSyn(flow: Flow, isTwin: bool): u32 {
  const direction = Segment.direction
  const continues = continuesConnection(flow, direction, Segment.seq, FLAG_SYN)
  if (continues && isTwin) return CONTINUES
  if (!hasDelivered(streamOf(flow, direction))) return continues ? CONTINUES : STARTS
  if (!continues && (segmentLength() > 0 || mayBeReset(flow))) return STARTS
  rememberSyn(flow, direction, Segment.seq)
  return continues ? CONTINUES : UNDECIDED
}

/** A SYN-ACK on an open flow's tuple. */
function judgeSynAck(flow: Flow): u32 {
  const direction = Segment.direction
  const ack = Segment.ack
  const client = streamOf(flow, 1 - direction)
  if (isOtherFirst(client, ack)) return STARTS
  if (continuesConnection(flow, direction, Segment.seq, Segment.flags)) return CONTINUES
  if (client.synSeen && !streamOf(flow, direction).known) {
    // The client drops it and still waits for its own (RFC 9293 §3.10.7.3), unless its SYN is a stale one.
    rememberSyn(flow, 1 - direction, ack - 1)
    return UNDECIDED
  }
  if (!client.synSeen || ack !== client.firstSeq || hasDelivered(streamOf(flow, direction))) return STARTS
  // Two SYN-ACKs to one SYN, as stateless load balancers cause them: the client accepts one.
  rememberSyn(flow, direction, Segment.seq)
  return UNDECIDED
}
