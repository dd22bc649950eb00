/**
 * Puts a flow's segments in order and delivers each byte once: the first copy of a byte wins, whatever the boundaries
 * of later copies (RFC 9293 §3.10.7.4 trims the same way). Segments behind a hole are held (held-pieces.ts).
 *
 *     in order ──────────────────────────────────────▶ data
 *     behind a hole ──▶ held ──the hole is filled────▶ data
 *                         └────the hole is given up──▶ gap, data
 *
 * A hole becomes a gap when waiting is pointless: the receiver has acknowledged past it and the sender has sent past
 * it, so it will never be sent again and the capture has lost it. Captures are not quite in order, so that is believed
 * a few segments later (suspicions.ts). Otherwise a hole becomes a gap when its stream holds as much as it may, after
 * HOLE_MICROS of packet time, when the pool has no room left (the oldest first), or when the flow ends.
 *
 * Causes come before effects: a server's segment that acknowledges client bytes not captured yet waits for them,
 * because captures of several queues or interfaces deliver the two directions slightly out of step.
 *
 * The urgent byte is removed: receivers that do not ask for it inline, as no HTTP implementation does, read the stream
 * without it (RFC 6093 §3).
 */
import { Time } from '../clock'
import * as C from '../counters'
import { add, count } from '../counts'
import { END_FIN } from '../reasons'
import { removeEarlyReset } from './early-resets'
import { atFin, finSeen, forgetEnd, lostBytes, missingTail, noteFin, voidPassedFin } from './fin'
import { Direction, Flow, flowOf, heldOf, RareState, reachedAhead, Stream, streamOf } from './flow'
import { FLAG_ACK, FLAG_FIN } from './header'
import {
  addPiece,
  bytesIn,
  bytesOf,
  clearPieces,
  endSeq,
  firstPiece,
  floorPiece,
  oldestPiece,
  Piece,
  removeFirst,
} from './held-pieces'
import { ownerAmbiguous, ownerData, ownerEnd, ownerGap } from './owner'
import { freeIdleRareState, rareStateOf } from './rare-state'
import { Segment } from './segment'
import { seqDiff } from './seq'
import { clearSuspicion, coveredBytes, isBelieved, overdueSuspicion } from './suspicions'

/** Bytes that one stream may hold behind a hole. At the bound the oldest hole becomes a gap (gaps.bound). */
const STREAM_HELD_BYTES: i32 = 1024 * 1024
/** Pieces that one stream may hold: as many as fill that with segments of 64 bytes. */
const STREAM_PIECES: i32 = 16_384
/** Lifetime, in packet time, of an unacknowledged hole (gaps.expired): longer than a TCP retransmits. */
const HOLE_MICROS: f64 = 30_000_000
/** Far more than receivers in use have room for; the limit of TCP is 1 GiB (RFC 7323). */
const LARGEST_WINDOW: i32 = 64 * 1024 * 1024
/** A distance of exactly 2^31 is both ahead and behind: such a segment is ignored. */
const OPPOSITE: i32 = i32.MIN_VALUE

/**
 * Processes one segment of an open flow.
 *
 * @param at, end its payload; may be empty
 * @param seq sequence number of the first payload byte
 * @param flags the TCP header's flags byte
 */
export function reassemble(
  flow: Flow,
  direction: Direction,
  at: usize,
  end: usize,
  seq: i32,
  ack: i32,
  flags: u8,
): void {
  const stream = streamOf(flow, direction)
  const server = streamOf(flow, 1 - direction)
  const length = <i32>(end - at)
  flow.segments++
  if ((flags & FLAG_ACK) !== 0) acknowledge(flow, 1 - direction, ack)
  if (!stream.known) {
    stream.known = true
    stream.nextSeq = seq
    stream.firstSeq = seq
    // Its SYN was not captured though the other side's was: an unknown number of bytes precedes this segment.
    if (!flow.midstream) ownerGap(flow, direction, 0)
  } else noteStart(stream, direction, seq)
  if (length > 0) {
    if (seq === stream.nextSeq && heldOf(stream) === 0 && !stream.ended && !isEarly(flow, direction, ack)) {
      pass(flow, direction, stream, at, end, seq, ack)
    } else outOfOrder(flow, direction, stream, at, end, seq, ack)
  }
  if ((flags & FLAG_FIN) !== 0) noteFin(stream, direction, seq + length + Segment.cut)
  if (needsReview(stream) || finSeen(stream)) review(flow, direction)
  if (<u32>flow.client === direction && heldOf(server) !== 0) deliver(flow, 1 - direction)
  if (stream.rare !== null) freeIdleRareState(stream)
  if (server.rare !== null) freeIdleRareState(server)
}

/**
 * The sender marks the byte at `seq` as urgent (RFC 9293 §3.8.5).
 *
 * A second urgent byte makes the first an ordinary one where the application has not read that far: unless the peer
 * has sent something since, only the application knows.
 */
export function markUrgent(flow: Flow, direction: Direction, seq: i32): void {
  const stream = streamOf(flow, direction)
  if (stream.known && seqDiff(stream.nextSeq, seq) < 0) return
  const rare = rareStateOf(stream, direction)
  if (rare.urgentSeen && rare.urgentSeq === seq) return
  const unread = rare.urgentRemoved && rare.urgentPeerSeq === streamOf(flow, 1 - direction).nextSeq
  if (rare.urgentSeen || unread) ownerAmbiguous(flow)
  rare.urgentSeen = true
  rare.urgentSeq = seq
}

/** Gives up every hole, delivers the bytes behind it, and ends both streams. */
export function finishStreams(flow: Flow, how: u8): void {
  const first: Direction = flow.client === 1 ? 1 : 0
  finishStream(flow, first, how)
  finishStream(flow, 1 - first, how)
}

/**
 * Gives up one hole whose time is over, even if its flow is active. Called between segments, until it returns null.
 *
 * @returns the hole's flow, whose streams may have ended
 */
export function expireHole(): Flow | null {
  const oldest = oldestPiece()
  if (oldest !== null && Time.clock - oldest.heldSince > HOLE_MICROS) return giveUpThrough(oldest, C.gapsExpired)
  const suspected = overdueSuspicion(Time.clock)
  if (suspected !== null) reviewBoth(suspected)
  return suspected
}

/** Gives up the hole that has been open longest, for lack of room. Called between segments. @returns its flow, or null */
export function evictHole(): Flow | null {
  const oldest = oldestPiece()
  return oldest === null ? null : giveUpThrough(oldest, C.gapsEvicted)
}

/** The flow is over: frees what it holds without delivering it, and all else that is of no use for late segments. */
export function discard(flow: Flow): void {
  for (let direction: Direction = 0; direction < 2; direction++) {
    const stream = streamOf(flow, direction)
    dropAll(stream)
    const rare = stream.rare
    if (rare === null) continue
    removeEarlyReset(rare)
    forgetEnd(rare)
    rare.resetSeen = false
    rare.urgentSeen = false
    rare.urgentRemoved = false
    freeIdleRareState(stream)
  }
}

function finishStream(flow: Flow, direction: Direction, how: u8): void {
  const stream = streamOf(flow, direction)
  for (let held = heldOf(stream); held !== 0 && !atFin(stream); held = heldOf(stream)) {
    const piece = changetype<Piece>(held)
    const hole = seqDiff(stream.nextSeq, piece.seq)
    if (hole > 0) gap(flow, direction, hole, C.gapsEnded)
    deliverFirst(flow, direction, stream, piece)
  }
  dropAll(stream)
  if (stream.ended) return
  const missing = missingTail(stream)
  if (missing > 0) gap(flow, direction, missing, C.gapsEnded)
  endStream(flow, direction, stream, atFin(stream) ? END_FIN : how)
}

function acknowledge(flow: Flow, direction: Direction, ack: i32): void {
  const stream = streamOf(flow, direction)
  if (!stream.ackedKnown || seqDiff(stream.acked, ack) > 0) {
    stream.ackedKnown = true
    stream.acked = ack
  }
  if (!stream.known || stream.ended) return
  if (needsReview(stream)) review(flow, direction)
}

/** Notes where a segment of a known stream starts. */
function noteStart(stream: Stream, direction: Direction, seq: i32): void {
  if (!stream.beyondFirst) stream.beyondFirst = seqDiff(stream.firstSeq, seq) > 0
  if (stream.ended || seqDiff(stream.nextSeq, seq) <= 0) return
  const rare = rareStateOf(stream, direction)
  if (!rare.reachedSeen || seqDiff(rare.reached, seq) > 0) rare.reached = seq
  rare.reachedSeen = true
}

/** Whether bytes behind the next one were captured, or a segment that starts behind it. */
function needsReview(stream: Stream): bool {
  const rare = stream.rare
  return rare !== null && (rare.held !== 0 || reachedAhead(stream) > 0)
}

/** Whether a segment is a server's response to client bytes that were not captured yet. */
function isEarly(flow: Flow, direction: Direction, ack: i32): bool {
  if (<u32>flow.client !== 1 - direction) return false
  const client = streamOf(flow, 1 - direction)
  return client.known && !client.ended && seqDiff(client.nextSeq, ack) > 0
}

function outOfOrder(flow: Flow, direction: Direction, stream: Stream, at: usize, end: usize, seq: i32, ack: i32): void {
  const behind = seqDiff(seq, stream.nextSeq)
  const length = <i32>(end - at)
  if (stream.ended && behind < length) {
    count(C.segmentsAfterEnd)
    return
  }
  if (behind >= length || behind === OPPOSITE) {
    count(C.segmentsDuplicate)
    return
  }
  let start = behind > 0 ? at + behind : at
  let first = behind > 0 ? stream.nextSeq : seq
  if (first === stream.nextSeq && !isEarly(flow, direction, ack)) {
    // Bytes that fill a hole are delivered at once, up to the held ones: they must not depend on room in the pool.
    const held = heldOf(stream)
    const hole = held === 0 ? <i32>(end - start) : seqDiff(first, changetype<Piece>(held).seq)
    const stop = min(end, start + max(0, hole))
    if (stop > start) pass(flow, direction, stream, start, stop, first, ack)
    if (stop === end) return
    start = stop
    first = stream.nextSeq
  }
  count(C.segmentsOutOfOrder)
  const rare = rareStateOf(stream, direction)
  hold(rare, start, end, first, ack)
  while (rare.heldBytes > STREAM_HELD_BYTES || rare.heldPieces > STREAM_PIECES) {
    giveUpFirst(flow, direction, stream, C.gapsBound)
  }
}

/** Holds the parts of [at, end) that no piece has yet. Without room they count as never captured, and become a gap. */
function hold(rare: RareState, at: usize, end: usize, seq: i32, ack: i32): void {
  const last = seq + <i32>(end - at)
  if (rare.held === 0 || seqDiff(rare.heldEnd, last) > 0) rare.heldEnd = last
  let previous = floorPiece(rare, seq)
  for (let from = at; from < end; ) {
    const fromSeq = seq + <i32>(from - at)
    const covered = previous === null ? 0 : seqDiff(fromSeq, endSeq(previous))
    if (covered > 0) {
      from += covered
      continue
    }
    const next = previous === null ? firstPiece(rare) : previous.next
    const room = next === null ? <i32>(end - from) : seqDiff(fromSeq, next.seq)
    if (room > 0) {
      const to = min(end, from + room)
      if (addPiece(rare, previous, from, to, fromSeq, ack, Time.clock, Time.micros) === null) {
        count(C.segmentsNoRoom)
        return
      }
      from = to
    }
    previous = next
  }
}

/** Delivers what has become deliverable, turns holes that are believed lost into gaps, and ends the stream at its FIN. */
function review(flow: Flow, direction: Direction): void {
  const stream = streamOf(flow, direction)
  while (true) {
    deliver(flow, direction)
    voidPassedFin(stream)
    const lost = atFin(stream) ? 0 : lostBytes(stream, firstSeq(stream))
    if (lost <= 0) {
      clearSuspicion(stream)
      break
    }
    if (!isBelieved(flow, direction, Time.clock)) break
    const covered = coveredBytes(stream, lost)
    if (covered > 0) gap(flow, direction, covered, C.gapsAcked)
    else clearSuspicion(stream)
  }
  if (!stream.ended && atFin(stream)) endStream(flow, direction, stream, END_FIN)
}

/** Sequence number of the first piece held; without one, of the furthest segment captured, if that is ahead. */
function firstSeq(stream: Stream): i32 {
  const held = heldOf(stream)
  return held === 0 ? stream.nextSeq + max(0, reachedAhead(stream)) : changetype<Piece>(held).seq
}

/** Reviews both streams of a flow, each of which may wait for the other. */
function reviewBoth(flow: Flow): void {
  review(flow, 0)
  review(flow, 1)
}

/** Delivers held segments that are next in order and acknowledge no missing bytes of the client, up to the FIN. */
function deliver(flow: Flow, direction: Direction): void {
  const stream = streamOf(flow, direction)
  for (let held = heldOf(stream); held !== 0; held = heldOf(stream)) {
    const piece = changetype<Piece>(held)
    if (seqDiff(stream.nextSeq, piece.seq) > 0 || atFin(stream)) return
    if (isEarly(flow, direction, piece.ack)) return
    deliverFirst(flow, direction, stream, piece)
  }
}

/** Gives up the hole that the piece waits for. */
function giveUpThrough(piece: Piece, reason: usize): Flow {
  const rare = piece.owner
  const direction: Direction = rare.direction
  const stream = rare.stream
  const flow = flowOf(stream, direction)
  do {
    giveUpFirst(flow, direction, stream, reason)
    review(flow, direction)
    review(flow, 1 - direction)
  } while (oldestPiece() === piece)
  return flow
}

/**
 * Whether a segment lies further ahead than a sender may be, of what was captured and of what its receiver has acknowledged since: it is
 * of an older connection, forged, or damaged, and its receiver has dropped it.
 */
function isOutside(stream: Stream, seq: i32): bool {
  if (!stream.ackedKnown) return false
  // Its receiver may have acknowledged bytes that were not captured, even this segment's.
  const received = max(0, seqDiff(stream.nextSeq, stream.acked))
  return seqDiff(stream.nextSeq, seq) - received > LARGEST_WINDOW
}

/** The hole in front of the first piece becomes a gap; without one, the client bytes that the piece acknowledges do. */
function giveUpFirst(flow: Flow, direction: Direction, stream: Stream, reason: usize): void {
  const held = heldOf(stream)
  if (held === 0) return
  const piece = changetype<Piece>(held)
  const hole = seqDiff(stream.nextSeq, piece.seq)
  const ack = piece.ack
  if (hole > 0 && isOutside(stream, piece.seq)) {
    count(C.segmentsIgnored)
    removeFirst(piece.owner)
    return
  }
  if (hole > 0) gap(flow, direction, hole, reason)
  else if (isEarly(flow, direction, ack)) {
    const client = streamOf(flow, 1 - direction)
    gap(flow, 1 - direction, seqDiff(client.nextSeq, ack), reason)
  }
  deliverFirst(flow, direction, stream, piece)
}

function gap(flow: Flow, direction: Direction, bytes: i32, reason: usize): void {
  const stream = streamOf(flow, direction)
  stream.nextSeq += bytes
  count(reason)
  add(C.bytesGap, <f64>bytes)
  ownerGap(flow, direction, bytes)
}

/** Nothing follows: segments held beyond a FIN never reach the receiver's application. */
function endStream(flow: Flow, direction: Direction, stream: Stream, how: u8): void {
  dropAll(stream)
  const rare = stream.rare
  if (rare !== null) forgetEnd(rare)
  stream.ended = true
  ownerEnd(flow, direction, how)
}

/** Delivers the next bytes [at, end) of the stream, without the urgent byte. */
function pass(flow: Flow, direction: Direction, stream: Stream, at: usize, end: usize, seq: i32, ack: i32): void {
  const rare = stream.rare
  if (rare === null || !rare.urgentSeen || seqDiff(seq, rare.urgentSeq) >= <i32>(end - at)) {
    stream.nextSeq = seq + <i32>(end - at)
    ownerData(flow, direction, at, end, seq, ack)
    return
  }
  passUrgent(flow, direction, stream, rare, at, end, seq, ack)
}

/** Delivers bytes as `pass` does, when the urgent byte is among them or before them. */
function passUrgent(
  flow: Flow,
  direction: Direction,
  stream: Stream,
  rare: RareState,
  at: usize,
  end: usize,
  seq: i32,
  ack: i32,
): void {
  const urgent = seqDiff(seq, rare.urgentSeq)
  rare.urgentSeen = false
  // Behind: the urgent byte was in a gap.
  if (urgent < 0) {
    pass(flow, direction, stream, at, end, seq, ack)
    return
  }
  if (urgent > 0) pass(flow, direction, stream, at, at + urgent, seq, ack)
  rare.urgentRemoved = true
  rare.urgentPeerSeq = streamOf(flow, 1 - direction).nextSeq
  const rest = urgent + 1
  stream.nextSeq = seq + rest
  if (at + rest < end) pass(flow, direction, stream, at + rest, end, seq + rest, ack)
}

/** Delivers the first piece without the bytes that have been delivered since. */
function deliverFirst(flow: Flow, direction: Direction, stream: Stream, piece: Piece): void {
  const now = Time.micros
  Time.micros = piece.micros
  let skip = seqDiff(piece.seq, stream.nextSeq)
  let cell = changetype<usize>(piece)
  for (let left = piece.length; left > 0; ) {
    const at = bytesOf(piece, cell)
    const some = bytesIn(piece, cell, left)
    if (skip < some) {
      pass(flow, direction, stream, at + skip, at + some, stream.nextSeq, piece.ack)
      skip = 0
    } else skip -= some
    left -= some
    cell = load<usize>(cell)
  }
  Time.micros = now
  removeFirst(piece.owner)
}

function dropAll(stream: Stream): void {
  const rare = stream.rare
  if (rare === null) return
  clearPieces(rare)
  clearSuspicion(stream)
}
