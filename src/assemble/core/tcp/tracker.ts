/**
 * Assigns each segment to its flow, and applies its flags: SYN, ACK and RST here, the bytes and the FIN in reassembler.ts.
 *
 *     segment ──find──▶ flow, or none ──judge (tuple-reuse.ts)──▶ this flow, a new one, or none: counted and ignored
 *                                                                     │
 *                  RST: closes the flow if its receiver obeys ◀───────┼──▶ SYN: where the streams begin (handshake.ts)
 *                                                                     └──▶ data, FIN: reassembler.ts
 *
 * flow-lifetime.ts opens and closes flows.
 */
import { Time } from '../clock'
import * as C from '../counters'
import { add, count } from '../counts'
import { isLow } from '../memory/cells'
import { END_RESET } from '../reasons'
import { addEarlyReset, isAhead, isDue, isEarly, removeEarlyReset } from './early-resets'
import { watchEnd } from './fin'
import { CLIENT_UNKNOWN, Direction, Flow, heldOf, PROTOCOL_OPAQUE, Stream, streamOf } from './flow'
import { advance, closeEnded, closeReset, makeRoom, open, supersede } from './flow-lifetime'
import { find, foundDirection, join, nextInOtherNetwork, touch } from './flow-table'
import {
  acceptSynAck,
  beginStream,
  continuesNumbers,
  hasDelivered,
  isNewData,
  isOfFormerConnection,
  otherSynSeen,
  restartStream,
} from './handshake'
import { FLAG_ACK, FLAG_RST, FLAG_SYN, FLAG_URG, urgentOffset } from './header'
import { ownerBegins, ownerBeginsRequest, ownerHopLimit, ownerIsFull } from './owner'
import { erasePayloadMark, needsNoPayload, notePayload } from './payload-marks'
import { rareStateOf, rareStatesAreFull } from './rare-state'
import { markUrgent, reassemble } from './reassembler'
import { judgeReset, RESET_OBEYED, RESET_UNPROVEN } from './reset'
import { readSegment, Segment, segmentLength } from './segment'
import { seqDiff } from './seq'
import { COMES_LATE, CONFIRMS_SYN, CONTINUES, judgeSegment, STARTS, startsConnection, TWIN_MICROS } from './tuple-reuse'

/** A late segment of the previous connection on the same ports is captured among the first so many segments of the next one. */
const YOUNG_SEGMENTS: i32 = 32

/**
 * Processes one segment.
 *
 * @param ip, tcp addresses of its headers; @param end end of the IP packet
 * @param domain network namespace; @param network virtual network in it; @param hash symmetric flow hash, or its secret, as for `find`
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
  if (!readSegment(ip, tcp, end, mark < 0 ? -mark : 0)) {
    count(C.segmentsIgnored)
    return
  }
  advance()
  if (isLow() || ownerIsFull() || rareStatesAreFull()) makeRoom()
  add(C.bytesPayload, <f64>segmentLength())
  const known = find(ip, tcp, domain, network, hash)
  Segment.direction = foundDirection()
  const found = known !== null ? known : findTwin()
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
  if (isYoung && isOfFormerConnection(flow)) {
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

/** The hop limit (IPv6) or TTL (IPv4) of a packet. */
function hopLimitOf(ip: usize): u8 {
  return load<u8>(ip + (load<u8>(ip) >> 4 === 4 ? 8 : 7))
}

/**
 * Finds the connection of the segment in progress if it was captured in a virtual network in which the connection is not known: a
 * bridge, a VLAN interface or a tunnel's end shows each packet once with its tag and once without.
 */
function findTwin(): Flow | null {
  for (let flow = nextInOtherNetwork(null); flow !== null; flow = nextInOtherNetwork(flow)) {
    if (!continuesNumbers(flow)) continue
    join(flow)
    return flow
  }
  return null
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

/** A segment starts another connection on the flow's tuple, or continues it, by its numbers, after a RST. */
function restart(flow: Flow, interfaceId: i32): Flow {
  const isAfterReset = (Segment.flags & FLAG_SYN) === 0 && flow.closed && flow.closedBy === END_RESET
  const resumed = isAfterReset && continuesNumbers(flow)
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
  if (flow.protocol === PROTOCOL_OPAQUE) watchEnd(stream, first, length + Segment.cut, flags)
  else if (ack === 0 || (flags & FLAG_ACK) === 0) {
    // A synthetic capture without acknowledgements: all bytes captured of the peer before count as acknowledged.
    const acknowledged = other.known ? other.nextSeq : ack
    reassemble(flow, direction, at, end, first, acknowledged, flags & ~FLAG_ACK)
  } else reassemble(flow, direction, at, end, first, ack, flags)
  closeEnded(flow)
  if (other.rare !== null && isDue(other, stream)) closeReset(flow, 1 - direction)
  else if (stream.rare !== null && isDue(stream, other)) closeReset(flow, direction)
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
  const rare = rareStateOf(stream, direction)
  rare.resetSeen = true
  rare.resetEarly = waits
  rare.resetSeq = seq
  rare.resetAck = early ? ack : peer.nextSeq
  rare.resetMicros = Time.micros
  if (waits) addEarlyReset(flow, direction)
  else removeEarlyReset(rare)
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
  const own = streamOf(flow, direction)
  const isFirst = !own.synSeen
  beginStream(own, firstSeq)
  const client = 1 - direction
  if ((flags & FLAG_ACK) === 0) {
    if (flow.client === CLIENT_UNKNOWN && isFirst) flow.client = <u8>direction
    // Both ends open the connection (RFC 9293 §3.5): their data will show which is the client.
    else if (<u32>flow.client === client && isFirst && !hasDelivered(streamOf(flow, client)))
      flow.client = CLIENT_UNKNOWN
    return
  }
  if (flow.client === CLIENT_UNKNOWN && isFirst) flow.client = <u8>client
  const stream = streamOf(flow, client)
  beginStream(stream, ack)
  // Data in the SYN (TCP Fast Open, RFC 7413) may have been delivered already.
  if (hasDelivered(stream)) ownerBegins(flow)
  // Captured behind the server's first acknowledgement: nothing is missing in front of that.
  else if (!hasDelivered(own)) flow.lossy = false
}

/** What the first segments reveal of a connection whose handshake was not captured, or not all of it. */
function learn(flow: Flow, stream: Stream, other: Stream, seq: i32, ack: i32): void {
  if (!stream.known && !other.known) {
    flow.midstream = true
    count(C.midstream)
  } else if (stream.synSeen && seq === stream.firstSeq && !stream.beyondFirst && !other.known) {
    // Where later segments were captured before, this is a retransmission and may acknowledge more than the SYN-ACK.
    beginStream(other, ack)
  }
}
