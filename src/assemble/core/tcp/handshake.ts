/** Decides by sequence numbers which segments belong to a connection, and where its SYNs start the streams. */
import { Direction, Flow, heldOf, PROTOCOL_OPAQUE, Stream, streamOf } from './flow'
import { FLAG_ACK, FLAG_RST, FLAG_SYN } from './header'
import { LATE_SYN_MICROS, rareStateOf } from './rare-state'
import { Segment } from './segment'
import { seqDiff, WINDOW_BYTES } from './seq'

/** A SYN whose sequence number is this close before known data was merely captured late. */
const LATE_SYN_BYTES: i32 = 65_536
/** More than the data that a SYN can hold (TCP Fast Open). */
const SYN_DATA_BYTES: i32 = 65_536
/** The numbers of a segment that was captured at a second point are this close to those delivered last. */
const TWIN_BYTES: i32 = 262_144

/** Whether bytes of the stream, or gaps, have been delivered. */
export function hasDelivered(stream: Stream): bool {
  return stream.known && (!stream.synSeen || stream.nextSeq !== stream.firstSeq)
}

/** Whether a SYN with this number is the stream's own again. */
export function isRepeatedSyn(stream: Stream, seq: i32): bool {
  return stream.synSeen && stream.firstSeq === seq + 1
}

/** Whether a SYN is the one with which the connection before this one began, captured late. @param seq its sequence number */
export function isFormerSyn(stream: Stream, seq: i32, micros: f64): bool {
  const rare = stream.rare
  if (rare === null || !rare.formerSynSeen || rare.formerFirstSeq !== seq + 1) return false
  return abs(micros - rare.formerMicros) <= LATE_SYN_MICROS
}

/**
 * Keeps the first and the next sequence number of a stream's predecessor on the same ports.
 *
 * @param micros when this connection superseded that one
 */
export function rememberFormer(flow: Flow, direction: Direction, firstSeq: i32, nextSeq: i32, micros: f64): void {
  const rare = rareStateOf(streamOf(flow, direction), direction)
  rare.formerSynSeen = true
  rare.formerFirstSeq = firstSeq
  rare.formerNextSeq = nextSeq
  rare.formerMicros = micros
}

/**
 * Whether another SYN than the stream's own was captured: a new connection's, or the SYN+ACK of two that the client may
 * accept.
 */
export function otherSynSeen(stream: Stream): bool {
  const rare = stream.rare
  return rare !== null && rare.otherSynSeen
}

/** Whether that SYN makes this the stream's first sequence number. */
export function isOtherFirst(stream: Stream, seq: i32): bool {
  const rare = stream.rare
  return rare !== null && rare.otherSynSeen && seq === rare.otherFirstSeq
}

/** Whether a SYN belongs to the open connection: a repetition, the SYN-ACK, or one captured late. */
export function continuesConnection(flow: Flow, direction: Direction, seq: i32, flags: u8): bool {
  const stream = streamOf(flow, direction)
  if (stream.synSeen) return isRepeatedSyn(stream, seq)
  const other = streamOf(flow, 1 - direction)
  if (other.synSeen) {
    if ((flags & FLAG_ACK) !== 0) return acknowledgesSyn(other)
    if (!stream.known) return true
  }
  if (!stream.known) return false
  const ahead = seqDiff(seq + 1, stream.nextSeq)
  return ahead >= 0 && ahead <= LATE_SYN_BYTES
}

/**
 * Whether the segment in progress, a SYN-ACK, answers the SYN that began the stream: it acknowledges that SYN and at
 * most the data in it. Others are of another connection; their receiver answers with a RST (RFC 9293 §3.10.7.3).
 * Synthetic captures acknowledge 0.
 */
function acknowledgesSyn(stream: Stream): bool {
  const ack = Segment.ack
  const ahead = seqDiff(stream.firstSeq, ack)
  return ack === 0 || (ahead >= 0 && ahead <= SYN_DATA_BYTES)
}

/** Sets the stream's first sequence number, from its SYN or from the peer's acknowledgement of it. */
export function beginStream(stream: Stream, firstSeq: i32): void {
  if (stream.synSeen) return
  stream.synSeen = true
  // The segments before may start elsewhere.
  stream.beyondFirst = stream.known && (stream.beyondFirst || stream.firstSeq !== firstSeq)
  stream.firstSeq = firstSeq
  if (stream.known) return
  stream.known = true
  stream.nextSeq = firstSeq
}

/** Corrects the stream's first sequence number after another SYN, before any byte was delivered. */
export function restartStream(stream: Stream, firstSeq: i32): void {
  stream.synSeen = false
  stream.known = false
  stream.ackedKnown = false
  const rare = stream.rare
  if (rare !== null) {
    rare.otherSynSeen = false
    rare.reachedSeen = false
  }
  beginStream(stream, firstSeq)
}

/** Remembers a SYN beside the stream's own, until a later segment shows which of the two counts. */
export function rememberSyn(flow: Flow, direction: Direction, seq: i32): void {
  const rare = rareStateOf(streamOf(flow, direction), direction)
  rare.otherFirstSeq = seq + 1
  rare.otherSynSeen = true
}

/**
 * The client's first acknowledgement. Of two SYN+ACKs the client accepted the one that it acknowledges, and where it
 * acknowledges what neither can have sent, one that was not captured.
 */
export function acceptSynAck(server: Stream, ack: i32, flags: u8): void {
  if (!server.synSeen || server.ackedKnown || heldOf(server) !== 0 || ack === 0) return
  if ((flags & (FLAG_ACK | FLAG_SYN)) !== FLAG_ACK) return
  const ahead = seqDiff(server.firstSeq, ack)
  if (ahead < 0 || ahead > WINDOW_BYTES || isOtherFirst(server, ack)) restartStream(server, ack)
}

/**
 * Whether the segment in progress, of another virtual network, has the numbers of this connection, of which it is a
 * copy or the peer's SYN-ACK. Numbers are proof enough: two connections choose theirs at random (RFC 6528).
 */
export function continuesNumbers(flow: Flow): bool {
  const direction = Segment.direction
  const seq = Segment.seq
  const ack = Segment.ack
  const flags = Segment.flags
  const stream = streamOf(flow, direction)
  const other = streamOf(flow, 1 - direction)
  if ((flags & FLAG_SYN) !== 0) {
    const first = isRepeatedSyn(stream, seq)
    if ((flags & FLAG_ACK) === 0) return first
    return other.synSeen && other.firstSeq === ack && (first || !stream.synSeen)
  }
  // The numbers of an opaque flow are not followed closely enough.
  if (flow.protocol === PROTOCOL_OPAQUE) return false
  const acknowledges = (flags & FLAG_ACK) !== 0 && ack !== 0 && other.known
  if (!stream.known && !acknowledges) return false
  return (!stream.known || isNear(stream.nextSeq, seq)) && (!acknowledges || isNear(other.nextSeq, ack))
}

/**
 * Whether the segment in progress is a late one of the connection before on these ports: neither of its numbers can be one of
 * this connection, whose SYN was captured, or one cannot and both are numbers that the former connection used. Its receiver
 * drops it (RFC 9293 §3.10.7.4).
 */
export function isOfFormerConnection(flow: Flow): bool {
  const direction = Segment.direction
  const seq = Segment.seq
  const ack = Segment.ack
  const flags = Segment.flags
  const stream = streamOf(flow, direction)
  const other = streamOf(flow, 1 - direction)
  if ((flags & (FLAG_SYN | FLAG_RST)) !== 0 || !(stream.synSeen || other.synSeen)) return false
  const acknowledges = (flags & FLAG_ACK) !== 0 && ack !== 0 && other.known
  if (!stream.known && !acknowledges) return false
  const seqOutside = stream.known && isOutside(stream, seq)
  const ackOutside = acknowledges && isOutside(other, ack)
  if ((seqOutside || !stream.known) && (ackOutside || !acknowledges)) return true
  if (!acknowledges) return false
  // Before its SYN is captured, a stream may have any number: then an acknowledgement of what the peer has sent decides.
  const fits = stream.known ? !seqOutside && !ackOutside : ack === other.nextSeq
  return !fits && wasUsed(stream, seq) && wasUsed(other, ack)
}

/** Whether the connection before this one on the same ports used the number for this stream. */
function wasUsed(stream: Stream, number: i32): bool {
  const rare = stream.rare
  if (rare === null || !rare.formerSynSeen) return false
  const used = seqDiff(rare.formerFirstSeq, rare.formerNextSeq)
  const at = seqDiff(rare.formerFirstSeq, number)
  // A FIN has a number of its own.
  return at >= 0 && at <= used + 1
}

/** Whether a number lies before the stream's SYN, or further ahead than a sender may be. */
function isOutside(stream: Stream, number: i32): bool {
  const nextSeq = stream.nextSeq
  const ahead = seqDiff(nextSeq, number)
  // A keep-alive probe has the number of the SYN (RFC 9293 §3.8.4).
  return ahead > WINDOW_BYTES || ahead < (stream.synSeen ? seqDiff(nextSeq, stream.firstSeq) - 1 : -WINDOW_BYTES)
}

function isNear(a: i32, b: i32): bool {
  const distance = seqDiff(a, b)
  return distance >= -TWIN_BYTES && distance <= TWIN_BYTES
}

/** Whether a segment of `length` bytes holds bytes that a closed stream had not sent. */
export function isNewData(stream: Stream, seq: i32, length: i32): bool {
  if (!stream.known) return true
  // A FIN has a sequence number of its own.
  const beyond = seqDiff(stream.nextSeq, seq + length) > 1
  const before = stream.synSeen && seqDiff(seq, stream.firstSeq) > 0
  return beyond || before
}
