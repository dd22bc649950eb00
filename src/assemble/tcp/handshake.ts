/** Decides by sequence numbers which segments belong to a connection, and where its SYNs start the streams. */
import { FLAG_ACK, FLAG_RST, FLAG_SYN } from '../../net/tcp-header.ts'
import { type Direction, type Flow, PROTOCOL_OPAQUE, type Stream } from './flow.ts'
import { NO_PIECE } from './held-pieces.ts'
import type { TcpSegment } from './segment.ts'
import { seqAdd, seqDiff, WINDOW_BYTES } from './seq.ts'

/** A SYN whose sequence number is this close before known data was merely captured late. */
const LATE_SYN_BYTES = 65_536
/** The numbers of a segment that was captured at a second point are this close to those delivered last. */
const TWIN_BYTES = 262_144

/** Whether bytes of the stream, or gaps, have been delivered. */
export const hasDelivered = (stream: Stream): boolean =>
  stream.known && (!stream.synSeen || stream.nextSeq !== stream.firstSeq)

/** Whether a SYN with this number is the stream's own again. */
export const isRepeatedSyn = (stream: Stream, seq: number): boolean =>
  stream.synSeen && stream.firstSeq === seqAdd(seq, 1)

/** Keeps the first sequence numbers of a connection that has ended, for the one that begins on the same flow (see `isFormerSyn`). */
export function rememberFormer({ streams }: Flow): void {
  for (const stream of streams) {
    stream.rare.formerFirstSeq = stream.firstSeq
    stream.rare.formerSynSeen = stream.synSeen
  }
}

/** Whether a SYN is the one with which the connection before this one began, captured late. @param seq its sequence number */
export const isFormerSyn = ({ rare }: Stream, seq: number): boolean =>
  rare.formerSynSeen && rare.formerFirstSeq === seqAdd(seq, 1)

/** Whether a SYN belongs to the open connection: a repetition, the SYN-ACK, or one captured late. */
export function continuesConnection(flow: Flow, direction: Direction, seq: number, flags: number): boolean {
  const stream = flow.streams[direction]
  if (stream.synSeen) return isRepeatedSyn(stream, seq)
  if ((flags & FLAG_ACK) !== 0 || !stream.known) {
    if (flow.streams[1 - direction].synSeen) return true
  }
  if (!stream.known) return false
  const ahead = seqDiff(seqAdd(seq, 1), stream.nextSeq)
  return ahead >= 0 && ahead <= LATE_SYN_BYTES
}

/** Sets the stream's first sequence number, from its SYN or from the peer's acknowledgement of it. */
export function beginStream(stream: Stream, firstSeq: number): void {
  if (stream.synSeen) return
  stream.synSeen = true
  stream.firstSeq = firstSeq
  if (stream.known) return
  stream.known = true
  stream.nextSeq = firstSeq
  stream.reached = firstSeq
}

/** Corrects the stream's first sequence number after another SYN, before any byte was delivered. */
export function restartStream(stream: Stream, firstSeq: number): void {
  stream.synSeen = false
  stream.known = false
  stream.ackedKnown = false
  stream.otherSynSeen = false
  beginStream(stream, firstSeq)
}

/** Remembers a SYN beside the stream's own, until a later segment shows which of the two counts. */
export function rememberSyn(stream: Stream, seq: number): void {
  stream.rare.otherFirstSeq = seqAdd(seq, 1)
  stream.otherSynSeen = true
}

/**
 * The client's first acknowledgement. Of two SYN+ACKs the client accepted the one that it acknowledges, and where it
 * acknowledges what neither can have sent, one that was not captured.
 */
export function acceptSynAck(server: Stream, ack: number, flags: number): void {
  if (!server.synSeen || server.ackedKnown || server.held !== NO_PIECE || ack === 0) return
  if ((flags & (FLAG_ACK | FLAG_SYN)) !== FLAG_ACK) return
  const ahead = seqDiff(server.firstSeq, ack)
  const accepted = server.otherSynSeen && ack === server.rare.otherFirstSeq
  if (ahead < 0 || ahead > WINDOW_BYTES || accepted) restartStream(server, ack)
}

/**
 * Whether a segment of another virtual network has the numbers of this connection, of which it is a copy or the peer's
 * SYN-ACK. Numbers are proof enough: two connections choose theirs at random (RFC 6528).
 */
export function continuesNumbers(flow: Flow, { direction, seq, ack, flags }: TcpSegment): boolean {
  const stream = flow.streams[direction]
  const other = flow.streams[1 - direction]
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
 * Whether neither number of a segment can be one of this connection, whose SYN was captured: a late segment of the
 * connection before it on these ports. Its receiver drops it (RFC 9293 §3.10.7.4).
 */
export function isForeign(flow: Flow, { direction, seq, ack, flags }: TcpSegment): boolean {
  const stream = flow.streams[direction]
  const other = flow.streams[1 - direction]
  if ((flags & (FLAG_SYN | FLAG_RST)) !== 0 || !(stream.synSeen || other.synSeen)) return false
  const acknowledges = (flags & FLAG_ACK) !== 0 && ack !== 0 && other.known
  if (!stream.known && !acknowledges) return false
  return (!stream.known || isOutside(stream, seq)) && (!acknowledges || isOutside(other, ack))
}

/** Whether a number lies before the stream's SYN, or further ahead than a sender may be. */
function isOutside({ synSeen, firstSeq, nextSeq }: Stream, number: number): boolean {
  const ahead = seqDiff(nextSeq, number)
  // A keep-alive probe has the number of the SYN (RFC 9293 §3.8.4).
  return ahead > WINDOW_BYTES || ahead < (synSeen ? seqDiff(nextSeq, firstSeq) - 1 : -WINDOW_BYTES)
}

const isNear = (a: number, b: number): boolean => Math.abs(seqDiff(a, b)) <= TWIN_BYTES

/** Whether a segment of `length` bytes holds bytes that a closed stream had not sent. */
export function isNewData(stream: Stream, seq: number, length: number): boolean {
  if (!stream.known) return true
  // A FIN has a sequence number of its own.
  const beyond = seqDiff(stream.nextSeq, seqAdd(seq, length)) > 1
  const before = stream.synSeen && seqDiff(seq, stream.firstSeq) > 0
  return beyond || before
}
