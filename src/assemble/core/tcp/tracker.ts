/**
 * Follows connections from their first segment to their last: which flow a segment belongs to, and when a flow
 * is over. Whether a segment starts a new connection on a tuple in use is decided in tuple-reuse.ts; the bytes are the
 * reassembler's task.
 *
 * A closed flow stays in the table for LINGER_MICROS, so that its late retransmissions do not open a new one.
 * Time is packet time; a single frame with a stray timestamp cannot age anything (see `advance`).
 */
import { CLOCK_STEP_MICROS, isStray, Time } from '../clock'
import * as C from '../counters'
import { add, count } from '../counts'
import { isLow } from '../memory/cells'
import { END_EVICTED, END_FIN, END_IDLE, END_INPUT, END_INTERFACE_GONE, END_RESET, END_SUPERSEDED } from '../reasons'
import { addEarlyReset, isAhead, isDue, isEarly, overdueReset, removeEarlyReset } from './early-resets'
import { watchEnd } from './fin'
import { CLIENT_UNKNOWN, Direction, Flow, heldOf, PROTOCOL_OPAQUE, rareOf, Stream, streamOf } from './flow'
import {
  addFlow,
  closeFlow,
  elsewhereIsCrowded,
  find,
  foundDirection,
  idlestElsewhere,
  join,
  leastLikely,
  nextElsewhere,
  oldestClosed,
  oldestOpen,
  removeFlow,
  reopenFlow,
  restamp,
  tableIsFull,
  touch,
} from './flow-table'
import {
  acceptSynAck,
  beginStream,
  continuesNumbers,
  hasDelivered,
  isForeign,
  isNewData,
  otherSynSeen,
  rememberFormer,
  restartStream,
} from './handshake'
import { FLAG_ACK, FLAG_RST, FLAG_SYN, FLAG_URG, urgentOffset } from './header'
import {
  ownerBegins,
  ownerBeginsRequest,
  ownerEvictOldest,
  ownerExpire,
  ownerHopLimit,
  ownerIsCrowded,
  ownerLeastWanted,
  ownerOpened,
  ownerRelease,
} from './owner'
import { erasePayloadMark, needsNoPayload, notePayload } from './payload-marks'
import { discard, evictHole, expireHole, finishStreams, markUrgent, reassemble } from './reassembler'
import { judgeReset, RESET_OBEYED, RESET_UNPROVEN } from './reset'
import { readSegment, Segment, segmentLength } from './segment'
import { seqDiff } from './seq'
import {
  COMES_LATE,
  CONFIRMS_SYN,
  CONTINUES,
  judgeSegment,
  LINGER_MICROS,
  mayBeReset,
  STARTS,
  startsConnection,
  TWIN_MICROS,
} from './tuple-reuse'

/** How often, in packet time, what has waited too long is looked for. Not once per block that is read: blocks differ from run to run. */
const SWEEP_MICROS: f64 = 50_000

/** Late segments of the connection before on the same ports are among the first of a connection. */
const YOUNG_SEGMENTS: i32 = 32

class Tracker {
  /** A flow without segments for this long is closed (flows.closed.idle). */
  static idleMicros: f64 = 0
  static lastMicros: f64 = 0
  /** Packet time of the last sweep. */
  static sweptMicros: f64 = 0
}

export function openTracker(idleMicros: f64): void {
  Tracker.idleMicros = idleMicros
  Tracker.lastMicros = 0
  Tracker.sweptMicros = 0
}

/**
 * Processes one segment.
 *
 * @param ip, tcp addresses of its headers; @param end end of the IP packet
 * @param domain network namespace; @param network virtual network in it; @param hash symmetric flow hash
 * @param mark the record's word MARK_AT (src/ring/layout.ts)
 */
export function segment(
  ip: usize,
  tcp: usize,
  end: usize,
  interfaceId: i32,
  domain: i32,
  network: i32,
  hash: i32,
  mark: i32,
): void {
  count(C.segments)
  if (!readSegment(tcp, end, mark < 0 ? -mark : 0)) {
    count(C.segmentsIgnored)
    return
  }
  advance()
  if (isLow() || ownerIsCrowded()) makeRoom()
  add(C.bytesPayload, <f64>segmentLength())
  const known = find(ip, tcp, domain, network, hash)
  Segment.direction = foundDirection()
  const found = known !== null ? known : twin()
  if (found !== null && found.signed !== Segment.signed && !found.closed && (Segment.flags & FLAG_SYN) === 0) {
    // Receivers drop a segment with a signature if none was negotiated, and one without if it was.
    count(C.segmentsSignature)
    return
  }
  if (Segment.leftOut > 0 && (found === null || !needsNoPayload(found))) {
    count(C.segmentsIgnored)
    erasePayloadMark(hash)
    return
  }
  const flow = flowFor(found, interfaceId)
  if (flow === null) return
  const isYoung = <u32>flow.segments < <u32>YOUNG_SEGMENTS && flow.protocol !== PROTOCOL_OPAQUE
  if (isYoung && isForeign(flow)) {
    flow.segments++
    count(C.segmentsAfterEnd)
    return
  }
  const direction = Segment.direction
  if (!streamOf(flow, direction).captured) agreeSignature(flow)
  touch(flow)
  if (flow.hopLimitPending) ownerHopLimit(flow, direction, hopLimitOf(ip))
  if ((Segment.flags & FLAG_URG) !== 0 && segmentLength() > 0 && flow.protocol !== PROTOCOL_OPAQUE) {
    markUrgent(flow, direction, Segment.seq + urgentOffset(tcp))
  }
  segmentOf(flow)
  if (flow.protocol === PROTOCOL_OPAQUE) notePayload(flow, ip, tcp, interfaceId, network, hash, mark)
}

/** Advances the clock. It is set back only if the times of a file are. */
export function advance(): void {
  const micros = Time.micros
  const step = micros - Time.clock
  const agreed = abs(micros - Tracker.lastMicros) <= CLOCK_STEP_MICROS || Time.clock === 0
  if (step > 0 ? step <= CLOCK_STEP_MICROS || agreed : step < -CLOCK_STEP_MICROS && agreed) Time.clock = micros
  Tracker.lastMicros = micros
  if (abs(Time.clock - Tracker.sweptMicros) >= SWEEP_MICROS) sweep()
}

/** Ends every flow of an interface that is gone. */
export function endInterface(interfaceId: i32): void {
  endOpen(false, interfaceId, END_INTERFACE_GONE)
  endOpen(true, interfaceId, END_INTERFACE_GONE)
}

/** Ends every flow: the input has ended. */
export function endAll(): void {
  endOpen(false, -1, END_INPUT)
  endOpen(true, -1, END_INPUT)
}

/** Ends every open flow of a list, oldest first. @param interfaceId only those of it; -1: all */
function endOpen(proven: bool, interfaceId: i32, how: u8): void {
  for (let flow = oldestOpen(proven); flow !== null; ) {
    const newer = flow.newer
    if (interfaceId === -1 || <i32>flow.interfaceId === interfaceId) close(flow, how)
    flow = newer
  }
}

/** Of a packet of either IP version. */
function hopLimitOf(ip: usize): u8 {
  return load<u8>(ip + (load<u8>(ip) >> 4 === 4 ? 8 : 7))
}

/**
 * Finds the connection of the segment in progress if it was captured in a virtual network in which the connection is not known: a
 * bridge, a VLAN interface or a tunnel's end shows each packet once with its tag and once without.
 */
function twin(): Flow | null {
  for (let flow = nextElsewhere(null); flow !== null; flow = nextElsewhere(flow)) {
    if (!continuesNumbers(flow)) continue
    join(flow)
    return flow
  }
  return null
}

/**
 * Drops what has been held longest until the next segment surely finds room: of bytes those behind holes first, then
 * waiting messages; of exchanges those of a connection used long ago, or on which one has waited longest.
 */
function makeRoom(): void {
  evictCrowded()
  while (isLow()) {
    const flow = evictHole()
    if (flow !== null) holeEnded(flow)
    else if (!ownerEvictOldest()) return
  }
}

/** Evicts connections until there is room for the exchanges that one segment, or what is held of one connection, may begin. */
function evictCrowded(): void {
  while (ownerIsCrowded()) {
    let flow = ownerLeastWanted()
    if (flow === null) flow = leastLikely()
    if (flow === null) return
    close(flow, END_EVICTED)
  }
}

/** A hole of the flow was given up, and what was held behind it was delivered. */
function holeEnded(flow: Flow): void {
  closeEnded(flow)
  evictCrowded()
}

/**
 * Abandons messages that have waited too long, gives up holes that are too old, closes flows that have been idle too long,
 * and removes closed flows that have lingered, oldest first.
 */
function sweep(): void {
  Tracker.sweptMicros = Time.clock
  ownerExpire()
  for (let flow = expireHole(); flow !== null; flow = expireHole()) holeEnded(flow)
  for (let flow = overdueReset(Time.clock); flow !== null; flow = overdueReset(Time.clock)) close(flow, END_RESET)
  for (let closed = oldestClosed(); closed !== null; closed = oldestClosed()) {
    if (isStray(closed.lastMicros)) restamp(closed)
    else if (Time.clock - closed.lastMicros > LINGER_MICROS) removeFlow(closed)
    else break
  }
  closeIdle(false)
  closeIdle(true)
}

function closeIdle(proven: bool): void {
  for (let open = oldestOpen(proven); open !== null; open = oldestOpen(proven)) {
    if (isStray(open.lastMicros)) restamp(open)
    else if (Time.clock - open.lastMicros > Tracker.idleMicros) close(open, END_IDLE)
    else return
  }
}

/** @returns the open flow that the segment belongs to, new if the segment starts one; null, and counted, if it has none */
function flowFor(found: Flow | null, interfaceId: i32): Flow | null {
  if (found === null) {
    if (startsConnection()) return open(null, interfaceId)
    count(C.segmentsIgnored)
    return null
  }
  const flags = Segment.flags
  // Nearly every segment is one of these.
  if (!found.closed && (flags & FLAG_SYN) === 0 && !otherSynSeen(streamOf(found, Segment.direction))) return found
  switch (judgeSegment(found, Time.micros, found.lastMicros)) {
    case CONTINUES:
      return found
    case STARTS:
      return restart(found, interfaceId)
    case CONFIRMS_SYN:
      return adoptOtherSyn(found, interfaceId)
    case COMES_LATE: {
      if ((flags & FLAG_RST) === 0 && ignoresReset(found)) return restart(found, interfaceId)
      count(C.segmentsAfterEnd)
      return null
    }
    default: {
      count(C.segmentsIgnored)
      return null
    }
  }
}

/** A segment starts another connection on the flow's tuple, or continues it after a RST. */
function restart(flow: Flow, interfaceId: i32): Flow {
  const resumed = (Segment.flags & FLAG_SYN) === 0 && flow.closed && flow.closedBy === END_RESET
  const started = supersede(flow, interfaceId)
  started.resumed = resumed
  return started
}

/** Whether the receiver of a RST sends a new request. If that was on its way already, another RST answers it. */
function ignoresReset(flow: Flow): bool {
  const length = <i32>(Segment.end - Segment.at)
  if (flow.closedBy !== END_RESET || !isNewData(streamOf(flow, Segment.direction), Segment.seq, length)) return false
  return ownerBeginsRequest(Segment.at, Segment.end)
}

/** A segment follows a SYN that was only remembered: a new connection's, or the SYN+ACK that the client accepted. */
function adoptOtherSyn(flow: Flow, interfaceId: i32): Flow {
  const direction = Segment.direction
  const stream = streamOf(flow, direction)
  if (!hasDelivered(stream)) {
    // The numbers cannot change while segments are held.
    if (heldOf(stream) === 0) restartStream(stream, Segment.seq)
    return flow
  }
  const started = supersede(flow, interfaceId)
  started.client = <u8>direction
  restartStream(streamOf(started, direction), Segment.seq)
  return started
}

/** Another connection begins on the flow's tuple. */
function supersede(flow: Flow, interfaceId: i32): Flow {
  close(flow, END_SUPERSEDED)
  const a = streamOf(flow, 0)
  const b = streamOf(flow, 1)
  const firstA = a.firstSeq
  const firstB = b.firstSeq
  const seenA = a.synSeen
  const seenB = b.synSeen
  const started = open(flow, interfaceId)
  if (seenA) rememberFormer(started, 0, firstA, Time.micros)
  if (seenB) rememberFormer(started, 1, firstB, Time.micros)
  return started
}

/** @param closed the flow whose tuple the connection has, or null */
function open(closed: Flow | null, interfaceId: i32): Flow {
  count(C.flowsSeen)
  count(C.flowsOpen)
  let flow: Flow
  if (closed !== null) {
    flow = closed
    reopenFlow(flow, interfaceId)
  } else {
    if (elsewhereIsCrowded()) evictElsewhere()
    if (tableIsFull()) evict()
    flow = addFlow(interfaceId)
  }
  ownerOpened(flow)
  return flow
}

/** Evicts one of the flows between the ends last looked up. */
function evictElsewhere(): void {
  const idlest = idlestElsewhere()
  close(idlest, END_EVICTED)
  removeFlow(idlest)
}

function evict(): void {
  if (oldestClosed() === null) {
    const least = leastLikely()
    if (least !== null) close(least, END_EVICTED)
  }
  const closed = oldestClosed()
  if (closed !== null) removeFlow(closed)
}

function segmentOf(flow: Flow): void {
  const direction = Segment.direction
  const seq = Segment.seq
  const ack = Segment.ack
  const flags = Segment.flags
  const at = Segment.at
  const end = Segment.end
  const length = segmentLength()
  const stream = streamOf(flow, direction)
  const other = streamOf(flow, 1 - direction)
  if ((flags & FLAG_RST) !== 0) {
    handleReset(flow, direction, seq, ack, flags)
    return
  }
  stream.captured = true
  if (stream.rare !== null) reviewReset(stream, seq + length)
  let first = seq
  if ((flags & FLAG_SYN) !== 0) {
    first = seq + 1
    handshake(flow, direction, first, ack, flags)
  } else if (!stream.known || !other.known) learn(flow, stream, other, seq, ack)
  if (<u32>flow.client === direction && !hasDelivered(other)) acceptSynAck(other, ack, flags)
  if (flow.protocol === PROTOCOL_OPAQUE) watchEnd(stream, first, length, flags)
  else if (ack === 0 || (flags & FLAG_ACK) === 0) {
    // A synthetic capture without acknowledgements: all bytes captured of the peer before count as acknowledged.
    const acknowledged = other.known ? other.nextSeq : ack
    reassemble(flow, direction, at, end, first, acknowledged, flags & ~FLAG_ACK)
  } else reassemble(flow, direction, at, end, first, ack, flags)
  closeEnded(flow)
  if (other.rare !== null && isDue(other, stream)) closeReset(flow, 1 - direction)
  else if (stream.rare !== null && isDue(stream, other)) closeReset(flow, direction)
}

function closeEnded(flow: Flow): void {
  if (streamOf(flow, 0).ended && streamOf(flow, 1).ended) close(flow, END_FIN)
}

/** Handles a RST: closes the flow if its receiver accepts it. */
function handleReset(flow: Flow, direction: Direction, seq: i32, ack: i32, flags: u8): void {
  const stream = streamOf(flow, direction)
  const peer = streamOf(flow, 1 - direction)
  const verdict = judgeReset(stream, peer, seq, ack, flags)
  const early = isEarly(peer, ack, flags)
  const waits = verdict === RESET_OBEYED && flow.protocol !== PROTOCOL_OPAQUE && (early || isAhead(stream, seq))
  if (verdict === RESET_OBEYED && !waits) {
    closeReset(flow, direction)
    return
  }
  if (!waits) count(C.segmentsInexactReset)
  if (!waits && verdict !== RESET_UNPROVEN) return
  const rare = rareOf(stream, direction)
  rare.resetSeen = true
  rare.resetEarly = waits
  rare.resetSeq = seq
  rare.resetAck = early ? ack : peer.nextSeq
  rare.resetMicros = Time.micros
  if (waits) addEarlyReset(flow, direction)
  else removeEarlyReset(rare)
}

/** @param direction that the RST was sent on */
function closeReset(flow: Flow, direction: Direction): void {
  flow.resetDirection = <u8>direction
  close(flow, END_RESET)
}

/** Revokes a reset: a sender that continues beyond its RST, or well after it, was not reset. @param end of its segment */
function reviewReset(stream: Stream, end: i32): void {
  const rare = stream.rare
  if (rare === null || !rare.resetSeen) return
  const late = abs(Time.micros - rare.resetMicros) > TWIN_MICROS
  if (!late && seqDiff(rare.resetSeq, end) <= 0) return
  rare.resetSeen = false
  removeEarlyReset(rare)
}

/** Signatures are agreed on in the handshake; midstream the first segment shows whether they are in use. */
function agreeSignature(flow: Flow): void {
  const isAgreed = streamOf(flow, 1 - Segment.direction).captured && (Segment.flags & FLAG_SYN) === 0
  if (!isAgreed) flow.signed = Segment.signed
}

function handshake(flow: Flow, direction: Direction, firstSeq: i32, ack: i32, flags: u8): void {
  beginStream(streamOf(flow, direction), firstSeq)
  if ((flags & FLAG_ACK) === 0) {
    if (flow.client === CLIENT_UNKNOWN) flow.client = <u8>direction
    return
  }
  const client = 1 - direction
  if (flow.client === CLIENT_UNKNOWN) flow.client = <u8>client
  const stream = streamOf(flow, client)
  beginStream(stream, ack)
  // Also after data in the SYN (TCP Fast Open, RFC 7413).
  if (hasDelivered(stream)) ownerBegins(flow)
}

/** What the first segments reveal of a connection whose handshake was not captured, or not all of it. */
function learn(flow: Flow, stream: Stream, other: Stream, seq: i32, ack: i32): void {
  if (!stream.known && !other.known) {
    flow.midstream = true
    count(C.midstream)
  } else if (stream.synSeen && seq === stream.firstSeq && stream.reached === seq && !other.known) {
    // Where later segments were captured before, this is a retransmission and may acknowledge more than the SYN-ACK.
    beginStream(other, ack)
  }
}

function close(flow: Flow, how: u8): void {
  if (flow.closed) return
  const unseen = how === END_IDLE || how === END_INPUT || how === END_INTERFACE_GONE || how === END_SUPERSEDED
  const cause = unseen && mayBeReset(flow) ? END_RESET : how
  if (flow.protocol !== PROTOCOL_OPAQUE) finishStreams(flow, cause)
  discard(flow)
  ownerRelease(flow)
  const a = streamOf(flow, 0)
  const b = streamOf(flow, 1)
  if (a.captured !== b.captured && hasDelivered(a.captured ? a : b)) count(C.flowsOneDirection)
  // The counters are in the order of the END_ values.
  count(C.closedFin + <usize>cause * sizeof<f64>())
  add(C.flowsOpen, -1)
  flow.closedBy = cause
  closeFlow(flow)
}
