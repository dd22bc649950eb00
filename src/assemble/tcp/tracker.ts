/**
 * Follows connections from their first segment to their last: which flow a segment belongs to, and when a flow
 * is over. Whether a segment starts a new connection on a tuple in use is decided in tuple-reuse.ts; the bytes are the
 * reassembler's task.
 *
 * A closed flow stays in the table for LINGER_MICROS, so that its late retransmissions do not open a new one.
 * Time is packet time; a single frame with a stray timestamp cannot age anything (see `advance`).
 */
import { ASSEMBLE_COUNTERS } from '../../ledger/counters.ts'
import {
  CLOSED_COUNTERS,
  END_EVICTED,
  END_FIN,
  END_IDLE,
  END_INPUT,
  END_INTERFACE_GONE,
  END_RESET,
  END_SUPERSEDED,
} from '../../ledger/reasons.ts'
import { FLAG_ACK, FLAG_RST, FLAG_SYN, FLAG_URG, urgentOffset } from '../../net/tcp-header.ts'
import type { Arena } from '../memory/arena.ts'
import type { CellPool } from '../memory/cell-pool.ts'
import { CLOCK_STEP_MICROS, type PacketTime } from '../packet-time.ts'
import { EarlyResets, isAhead, isDue, isEarly } from './early-resets.ts'
import { watchEnd } from './fin.ts'
import { type Direction, FLOW_OPEN, type Flow, PROTOCOL_OPAQUE, type Stream } from './flow.ts'
import type { FlowOwner } from './flow-owner.ts'
import type { FlowTable } from './flow-table.ts'
import {
  acceptSynAck,
  beginStream,
  continuesNumbers,
  hasDelivered,
  isForeign,
  isNewData,
  rememberFormer,
  restartStream,
} from './handshake.ts'
import { NO_PIECE } from './held-pieces.ts'
import { needsNoPayload, PayloadMarks } from './payload-marks.ts'
import type { Reassembler } from './reassembler.ts'
import { NO_FLOW } from './recency-list.ts'
import { judgeReset, RESET_OBEYED, RESET_UNPROVEN } from './reset.ts'
import { TcpSegment } from './segment.ts'
import { seqAdd, seqDiff } from './seq.ts'
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
} from './tuple-reuse.ts'

/** How often, in packet time, what has waited too long is looked for. Not once per block that is read: blocks differ from run to run. */
const SWEEP_MICROS = 50_000

/** Late segments of the connection before on the same ports are among the first of a connection. */
const YOUNG_SEGMENTS = 32

const C = ASSEMBLE_COUNTERS.index

export class ConnectionTracker {
  readonly flows: FlowTable
  readonly marks = new PayloadMarks()
  readonly #arena: Arena
  readonly #cells: CellPool
  readonly #counts: Float64Array
  readonly #time: PacketTime
  readonly #reassembler: Reassembler
  readonly #owner: FlowOwner
  readonly #idleMicros: number
  readonly #earlyResets = new EarlyResets()
  readonly #segment = new TcpSegment()
  #lastMicros = 0
  /** Packet time of the last sweep. */
  #sweptMicros = 0

  /** @param idleMicros a flow without segments for this long is closed (flows.closed.idle) */
  constructor(
    arena: Arena,
    cells: CellPool,
    counts: Float64Array,
    time: PacketTime,
    reassembler: Reassembler,
    owner: FlowOwner,
    flows: FlowTable,
    idleMicros: number,
  ) {
    this.#arena = arena
    this.#cells = cells
    this.#counts = counts
    this.#time = time
    this.#reassembler = reassembler
    this.flows = flows
    flows.active.keeper = owner
    this.#owner = owner
    this.#idleMicros = idleMicros
  }

  /**
   * Processes one segment.
   *
   * @param ip, tcp addresses of its headers; @param end end of the IP packet
   * @param domain network namespace; @param network virtual network in it; @param hash symmetric flow hash
   * @param mark the record's word MARK_AT (ring/layout.ts)
   */
  segment(
    ip: number,
    tcp: number,
    end: number,
    interfaceId: number,
    domain: number,
    network: number,
    hash: number,
    mark: number,
  ): void {
    const view = this.#arena.view
    const counts = this.#counts
    const segment = this.#segment
    counts[C.segments]++
    if (!segment.read(view, tcp, end, mark < 0 ? -mark : 0)) {
      counts[C.segmentsIgnored]++
      return
    }
    this.advance()
    this.flows.active.settle()
    if (this.#cells.low || this.#owner.crowded || this.flows.active.crowded) this.#makeRoom()
    counts[C.bytesPayload] += segment.length
    const known = this.flows.find(ip, tcp, domain, network, hash)
    segment.direction = this.flows.direction
    const found = known ?? this.#twin(segment)
    const { flags, signed } = segment
    if (found !== null && found.signed !== signed && found.state === FLOW_OPEN && (flags & FLAG_SYN) === 0) {
      // Receivers drop a segment with a signature if none was negotiated, and one without if it was.
      counts[C.segmentsSignature]++
      return
    }
    if (segment.leftOut > 0 && (found === null || !needsNoPayload(found))) {
      counts[C.segmentsIgnored]++
      this.marks.erase(hash)
      return
    }
    const flow = this.#flowOf(found, segment, interfaceId)
    if (flow === null) return
    const isYoung = flow.segments < YOUNG_SEGMENTS && flow.protocol !== PROTOCOL_OPAQUE
    if (isYoung && isForeign(flow, segment)) {
      flow.segments++
      counts[C.segmentsAfterEnd]++
      return
    }
    if (!flow.streams[segment.direction].captured) agreeSignature(flow, segment)
    this.flows.touch(flow)
    if (flow.hopLimitPending) this.#checkHopLimit(flow, segment.direction, ip)
    if ((flags & FLAG_URG) !== 0 && segment.length > 0) this.#urgent(flow, segment, urgentOffset(view, tcp))
    this.#segmentOf(flow, segment)
    if (flow.protocol === PROTOCOL_OPAQUE) this.marks.note(flow, view, ip, tcp, interfaceId, network, hash, mark)
  }

  /**
   * Finds the connection of a segment that was captured in a virtual network in which the connection is not known: a
   * bridge, a VLAN interface or a tunnel's end shows each packet once with its tag and once without.
   */
  #twin(segment: TcpSegment): Flow | null {
    for (const flow of this.flows.elsewhere) {
      if (!continuesNumbers(flow, segment)) continue
      this.flows.join(flow)
      return flow
    }
    return null
  }

  /** Advances the clock. It is set back only if the times of a file are. */
  advance(): void {
    const time = this.#time
    const { micros } = time
    const step = micros - time.clock
    const agreed = Math.abs(micros - this.#lastMicros) <= CLOCK_STEP_MICROS || time.clock === 0
    if (step > 0 ? step <= CLOCK_STEP_MICROS || agreed : step < -CLOCK_STEP_MICROS && agreed) time.clock = micros
    this.#lastMicros = micros
    if (Math.abs(time.clock - this.#sweptMicros) >= SWEEP_MICROS) this.#sweep()
  }

  /**
   * Drops what has been held longest until the next segment surely finds room: of bytes those behind holes first, then
   * waiting messages; of exchanges those of the connection on which one has waited longest; of connections that are not at
   * rest those without a recent segment.
   */
  #makeRoom(): void {
    const { active } = this.flows
    while (this.#owner.crowded) {
      const flow = this.#owner.longestWaiting ?? this.#leastLikely
      if (flow === null) break
      this.#close(flow, END_EVICTED)
    }
    for (let flow = active.victim(); flow !== null; flow = active.victim()) {
      this.#close(flow, END_EVICTED)
      active.park(flow)
    }
    while (this.#cells.low) {
      const flow = this.#reassembler.evict()
      if (flow !== null) this.#closeEnded(flow)
      else if (!this.#owner.evictOldest()) return
    }
  }

  /**
   * Abandons messages that have waited too long, gives up holes that are too old, closes flows that have been idle too long,
   * and removes closed flows that have lingered, oldest first.
   */
  #sweep(): void {
    const time = this.#time
    this.#sweptMicros = time.clock
    this.#owner.expire()
    for (let flow = this.#reassembler.expire(); flow !== null; flow = this.#reassembler.expire()) this.#closeEnded(flow)
    const resets = this.#earlyResets
    for (let flow = resets.overdue(time.clock); flow !== null; flow = resets.overdue(time.clock)) {
      this.#close(flow, END_RESET)
    }
    const { flows } = this
    for (let closed = flows.oldestClosed; closed !== NO_FLOW; closed = flows.oldestClosed) {
      const lastMicros = flows.lastMicros(closed)
      if (time.isStray(lastMicros)) flows.restamp(closed)
      else if (time.clock - lastMicros > LINGER_MICROS) flows.remove(closed)
      else break
    }
    this.#closeIdle(false)
    this.#closeIdle(true)
  }

  #closeIdle(proven: boolean): void {
    const time = this.#time
    const { flows } = this
    for (let open = flows.oldestOpen(proven); open !== NO_FLOW; open = flows.oldestOpen(proven)) {
      const lastMicros = flows.lastMicros(open)
      if (time.isStray(lastMicros)) flows.restamp(open)
      else if (time.clock - lastMicros > this.#idleMicros) {
        this.#close(flows.at(open), END_IDLE)
        flows.active.settle()
      } else break
    }
  }

  /** Ends every flow of an interface that is gone. */
  endInterface(interfaceId: number): void {
    this.flows.eachOpen((flow) => {
      if (flow.interfaceId === interfaceId) this.#close(flow, END_INTERFACE_GONE)
    })
  }

  /** Ends every flow: the input has ended. */
  endAll(): void {
    this.flows.eachOpen((flow) => this.#close(flow, END_INPUT))
  }

  /** @returns the open flow that the segment belongs to, new if the segment starts one; null, and counted, if it has none */
  #flowOf(found: Flow | null, segment: TcpSegment, interfaceId: number): Flow | null {
    if (found === null) {
      if (startsConnection(segment)) return this.#open(null, interfaceId)
      this.#counts[C.segmentsIgnored]++
      return null
    }
    // Nearly every segment is one of these: it costs no call.
    const { direction, flags } = segment
    if (found.state === FLOW_OPEN && (flags & FLAG_SYN) === 0 && !found.streams[direction].otherSynSeen) return found
    switch (judgeSegment(found, segment, this.#time.micros, this.flows.lastMicros(found.index))) {
      case CONTINUES:
        return found
      case STARTS:
        return this.#restart(found, segment, interfaceId)
      case CONFIRMS_SYN:
        return this.#adoptOtherSyn(found, segment, interfaceId)
      case COMES_LATE:
        if ((flags & FLAG_RST) === 0 && this.#ignoresReset(found, segment))
          return this.#restart(found, segment, interfaceId)
        this.#counts[C.segmentsAfterEnd]++
        return null
      default:
        this.#counts[C.segmentsIgnored]++
        return null
    }
  }

  /** A segment starts another connection on the flow's tuple, or continues it after a RST. */
  #restart(flow: Flow, { flags }: TcpSegment, interfaceId: number): Flow {
    const resumed = (flags & FLAG_SYN) === 0 && flow.closedBy === END_RESET
    const started = this.#supersede(flow, interfaceId)
    started.resumed = resumed
    return started
  }

  /** Whether the receiver of a RST sends a new request. If that was on its way already, another RST answers it. */
  #ignoresReset(flow: Flow, segment: TcpSegment): boolean {
    const { direction, seq, at, end } = segment
    if (flow.closedBy !== END_RESET || !isNewData(flow.streams[direction], seq, end - at)) return false
    return this.#owner.beginsRequest(at, end)
  }

  /** A segment follows a SYN that was only remembered: a new connection's, or the SYN+ACK that the client accepted. */
  #adoptOtherSyn(flow: Flow, { direction, seq }: TcpSegment, interfaceId: number): Flow {
    const stream = flow.streams[direction]
    if (!hasDelivered(stream)) {
      // The numbers cannot change while segments are held.
      if (stream.held === NO_PIECE) restartStream(stream, seq)
      return flow
    }
    const started = this.#supersede(flow, interfaceId)
    started.clientDirection = direction
    restartStream(started.streams[direction], seq)
    return started
  }

  /** Another connection begins on the flow's tuple. */
  #supersede(flow: Flow, interfaceId: number): Flow {
    this.#close(flow, END_SUPERSEDED)
    rememberFormer(flow)
    const started = this.#open(flow, interfaceId)
    started.reusedMicros = this.#time.micros
    return started
  }

  #open(closed: Flow | null, interfaceId: number): Flow {
    this.#counts[C.flowsSeen]++
    this.#counts[C.flowsOpen]++
    if (closed === null && this.flows.crowded) this.#evictElsewhere()
    if (closed === null && this.flows.full) this.#evict()
    const flow = closed ?? this.flows.add(interfaceId)
    if (closed !== null) this.flows.reopen(closed, interfaceId)
    this.#owner.opened(interfaceId)
    flow.hopLimitPending = this.#owner.checksHopLimit(interfaceId)
    return flow
  }

  /** Evicts one of the flows between the ends last looked up. */
  #evictElsewhere(): void {
    const { flows } = this
    const idlest = flows.elsewhere.reduce((a, b) => (flows.lastMicros(b.index) < flows.lastMicros(a.index) ? b : a))
    this.#close(idlest, END_EVICTED)
    flows.remove(idlest.index)
  }

  #evict(): void {
    if (this.flows.oldestClosed === NO_FLOW) {
      const open = this.#leastLikely
      if (open !== null) this.#close(open, END_EVICTED)
    }
    const closed = this.flows.oldestClosed
    if (closed !== NO_FLOW) this.flows.remove(closed)
  }

  get #leastLikely(): Flow | null {
    const index = this.flows.leastLikely
    return index === NO_FLOW ? null : this.flows.at(index)
  }

  #segmentOf(flow: Flow, { direction, seq, ack, flags, at, end, length }: TcpSegment): void {
    const stream = flow.streams[direction]
    const other = flow.streams[1 - direction]
    if ((flags & FLAG_RST) !== 0) {
      this.#reset(flow, direction, seq, ack, flags)
      return
    }
    stream.captured = true
    if (stream.resetSeen) this.#reviewReset(stream, seqAdd(seq, length))
    let first = seq
    if ((flags & FLAG_SYN) !== 0) {
      first = seqAdd(seq, 1)
      this.#handshake(flow, direction, first, ack, flags)
    } else if (!stream.known || !other.known) this.#learn(flow, direction, seq, ack)
    if (!hasDelivered(other) && direction === flow.clientDirection) acceptSynAck(other, ack, flags)
    if (flow.protocol === PROTOCOL_OPAQUE) watchEnd(stream, first, length, flags)
    else if (ack === 0 || (flags & FLAG_ACK) === 0) {
      // A synthetic capture without acknowledgements: all bytes captured of the peer before count as acknowledged.
      const acknowledged = other.known ? other.nextSeq : ack
      this.#reassembler.segment(flow, direction, at, end, first, acknowledged, flags & ~FLAG_ACK)
    } else this.#reassembler.segment(flow, direction, at, end, first, ack, flags)
    this.#closeEnded(flow)
    if (other.resetSeen && isDue(other, stream)) this.#closeReset(flow, (1 - direction) as Direction)
    else if (stream.resetSeen && isDue(stream, other)) this.#closeReset(flow, direction)
  }

  #closeEnded(flow: Flow): void {
    const [a, b] = flow.streams
    if (a.ended && b.ended) this.#close(flow, END_FIN)
  }

  /** Handles a RST: closes the flow if its receiver accepts it. */
  #reset(flow: Flow, direction: Direction, seq: number, ack: number, flags: number): void {
    const stream = flow.streams[direction]
    const peer = flow.streams[1 - direction]
    const verdict = judgeReset(stream, peer, seq, ack, flags)
    const early = isEarly(peer, ack, flags)
    const mayWait = verdict === RESET_OBEYED && flow.protocol !== PROTOCOL_OPAQUE
    const waits = mayWait && (early || isAhead(stream, seq))
    if (verdict === RESET_OBEYED && !waits) {
      this.#closeReset(flow, direction)
      return
    }
    if (!waits) this.#counts[C.segmentsInexactReset]++
    if (!waits && verdict !== RESET_UNPROVEN) return
    stream.resetSeen = true
    stream.resetEarly = waits
    stream.rare.resetSeq = seq
    stream.rare.resetAck = early ? ack : peer.nextSeq
    stream.rare.resetMicros = this.#time.micros
    if (waits) this.#earlyResets.add(flow, direction)
  }

  /** @param direction that the RST was sent on */
  #closeReset(flow: Flow, direction: Direction): void {
    flow.resetDirection = direction
    this.#close(flow, END_RESET)
  }

  /** Revokes a reset: a sender that continues beyond its RST, or well after it, was not reset. @param end of its segment */
  #reviewReset(stream: Stream, end: number): void {
    const late = Math.abs(this.#time.micros - stream.rare.resetMicros) > TWIN_MICROS
    if (late || seqDiff(stream.rare.resetSeq, end) > 0) stream.resetSeen = false
  }

  #checkHopLimit(flow: Flow, direction: Direction, ip: number): void {
    const { view } = this.#arena
    this.#owner.hopLimit(flow, direction, view.getUint8(ip + hopLimitAt(view.getUint8(ip))))
  }

  /** @param offset of the urgent byte from the segment's first */
  #urgent(flow: Flow, { direction, seq }: TcpSegment, offset: number): void {
    if (flow.protocol !== PROTOCOL_OPAQUE) this.#reassembler.urgent(flow, direction, seqAdd(seq, offset))
  }

  #handshake(flow: Flow, direction: Direction, firstSeq: number, ack: number, flags: number): void {
    beginStream(flow.streams[direction], firstSeq)
    if ((flags & FLAG_ACK) === 0) {
      if (flow.clientDirection === -1) flow.clientDirection = direction
      return
    }
    const client = (1 - direction) as Direction
    if (flow.clientDirection === -1) flow.clientDirection = client
    beginStream(flow.streams[client], ack)
    // Also after data in the SYN (TCP Fast Open, RFC 7413).
    if (hasDelivered(flow.streams[client])) this.#owner.begins(flow)
  }

  /** What the first segments reveal of a connection whose handshake was not captured, or not all of it. */
  #learn(flow: Flow, direction: Direction, seq: number, ack: number): void {
    const stream = flow.streams[direction]
    const other = flow.streams[1 - direction]
    if (!stream.known && !other.known) {
      flow.midstream = true
      this.#counts[C.midstream]++
    } else if (stream.synSeen && seq === stream.firstSeq && stream.reached === seq && !other.known) {
      // Where later segments were captured before, this is a retransmission and may acknowledge more than the SYN-ACK.
      beginStream(other, ack)
    }
  }

  #close(flow: Flow, how: number): void {
    if (flow.state !== FLOW_OPEN) return
    const unseen = how === END_IDLE || how === END_INPUT || how === END_INTERFACE_GONE || how === END_SUPERSEDED
    const cause = unseen && mayBeReset(flow) ? END_RESET : how
    if (flow.protocol !== PROTOCOL_OPAQUE) this.#reassembler.finish(flow, cause)
    this.#reassembler.discard(flow)
    this.#owner.release(flow)
    const [a, b] = flow.streams
    if (a.captured !== b.captured && hasDelivered(a.captured ? a : b)) this.#counts[C.flowsOneDirection]++
    this.#counts[CLOSED_COUNTERS[cause]]++
    this.#counts[C.flowsOpen]--
    flow.closedBy = cause
    this.flows.close(flow)
  }
}

/** Signatures are agreed on in the handshake; midstream the first segment shows whether they are in use. */
function agreeSignature(flow: Flow, { direction, flags, signed }: TcpSegment): void {
  if ((flags & FLAG_SYN) !== 0 || !flow.streams[1 - direction].captured) flow.signed = signed
}

/** Offset of the TTL, or of the hop limit, in an IP header that begins with this byte. */
const hopLimitAt = (first: number): number => (first >>> 4 === 4 ? 8 : 7)
