/**
 * Follows connections from their first segment to their last: which flow a segment belongs to, when a tuple starts a new
 * connection, when a flow is over. Bytes are the reassembler's business.
 *
 * A closed flow lingers so that its late retransmissions are not taken for a new connection. Time is packet time; a
 * single frame with a stray timestamp cannot age anything (see `advance`).
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
import type { Arena } from '../memory/arena.ts'
import { CLOCK_STEP_MICROS, type PacketTime } from '../packet-time.ts'
import { type Direction, FLOW_CLOSED, FLOW_OPEN, type Flow, PROTOCOL_OPAQUE, type Stream } from './flow.ts'
import type { FlowTable } from './flow-table.ts'
import { FLAG_ACK, FLAG_FIN, FLAG_RST, FLAG_SYN, type Reassembler } from './reassembler.ts'
import { seqAdd, seqDiff } from './seq.ts'

/** A flow without segments for this long is closed (flows.closed.idle). */
const IDLE_MICROS = 600_000_000
/** How long a closed flow's tuple answers stray segments. */
const LINGER_MICROS = 10_000_000
/** How often, in packet time, the lists of flows are looked at. */
const SWEEP_MICROS = 50_000
/** A reset further than this from the stream's position is not the connection's (RFC 5961 §3 asks for the window). */
const RESET_WINDOW = 4 * 1024 * 1024
/** A SYN whose sequence number lies this close before known data was merely captured late. */
const LATE_SYN_BYTES = 65_536

/** A frame captured twice, or late, follows its connection's others by less than this. */
const TWIN_MICROS = 5_000

/** And its numbers lie within this of what was last delivered. */
const TWIN_BYTES = 262_144

const C = ASSEMBLE_COUNTERS.index

/** Who keeps something for flows. */
export interface FlowOwner {
  /** Whether flows of the interface may be forwarded traffic, so that `hopLimit` is called for their first packets. */
  checksHopLimit(interfaceId: number): boolean
  /** A packet of a flow with `hopLimitPending`. @param hopLimit its TTL (IPv6: hop limit) */
  hopLimit(flow: Flow, direction: Direction, hopLimit: number): void
  /** The flow is over: frees what is kept for it. Called once per flow. */
  release(flow: Flow): void
}

export class ConnectionTracker {
  readonly flows: FlowTable
  readonly #arena: Arena
  readonly #counts: Float64Array
  readonly #time: PacketTime
  readonly #reassembler: Reassembler
  readonly #owner: FlowOwner
  #lastMicros = 0
  /** Packet time of the last sweep. */
  #sweptMicros = 0

  constructor(
    arena: Arena,
    counts: Float64Array,
    time: PacketTime,
    reassembler: Reassembler,
    owner: FlowOwner,
    flows: FlowTable,
  ) {
    this.#arena = arena
    this.#counts = counts
    this.#time = time
    this.#reassembler = reassembler
    this.flows = flows
    this.#owner = owner
  }

  /**
   * Takes one segment.
   *
   * @param ip, tcp addresses of its headers; @param end end of the IP packet
   * @param domain network namespace; @param network virtual network in it; @param hash symmetric flow hash
   */
  segment(
    ip: number,
    tcp: number,
    end: number,
    interfaceId: number,
    domain: number,
    network: number,
    hash: number,
  ): void {
    const view = this.#arena.view
    const counts = this.#counts
    counts[C.segments]++
    const flags = view.getUint8(tcp + 13)
    const headerBytes = (view.getUint8(tcp + 12) >>> 4) * 4
    const payload = tcp + headerBytes
    if (headerBytes < 20 || payload > end) {
      counts[C.segmentsIgnored]++
      return
    }
    this.advance()
    counts[C.bytesPayload] += end - payload
    const found = this.flows.find(ip, tcp, domain, network, hash)
    const direction = this.flows.direction
    const seq = view.getInt32(tcp + 4)
    const ack = view.getInt32(tcp + 8)
    const flow = found ?? this.#twin(direction, seq, ack, flags)
    const current = this.#connection(flow, direction, seq, ack, flags, end - payload, interfaceId)
    if (current === null) {
      counts[C.segmentsIgnored]++
      return
    }
    this.flows.touch(current)
    if (current.hopLimitPending) {
      this.#owner.hopLimit(current, direction, view.getUint8(ip + hopLimitAt(view.getUint8(ip))))
    }
    this.#segmentOfOpen(current, direction, payload, end, seq, ack, flags)
  }

  /**
   * Finds the connection of a segment that was captured in a virtual network in which it is not known: a bridge, a VLAN
   * interface or a tunnel's end shows each packet once with its tag and once without. Sequence numbers are the proof,
   * since two connections choose theirs at random (RFC 6528).
   */
  #twin(direction: Direction, seq: number, ack: number, flags: number): Flow | null {
    for (const flow of this.flows.elsewhere) {
      if (!continuesNumbers(flow, direction, seq, ack, flags)) continue
      this.flows.join(flow)
      return flow
    }
    return null
  }

  /** Moves the clock on. It goes back only where a file does. */
  advance(): void {
    const time = this.#time
    const { micros } = time
    const step = micros - time.clock
    const agreed = Math.abs(micros - this.#lastMicros) <= CLOCK_STEP_MICROS || time.clock === 0
    if (step > 0 ? step <= CLOCK_STEP_MICROS || agreed : step < -CLOCK_STEP_MICROS && agreed) time.clock = micros
    this.#lastMicros = micros
    if (Math.abs(time.clock - this.#sweptMicros) >= SWEEP_MICROS) this.#sweep()
  }

  /** Closes what has been idle too long and forgets what lingered, oldest first. */
  #sweep(): void {
    const time = this.#time
    this.#sweptMicros = time.clock
    for (let closed = this.flows.oldestClosed; closed !== null; closed = this.flows.oldestClosed) {
      if (time.isStray(closed.lastMicros)) this.flows.restamp(closed)
      else if (time.clock - closed.lastMicros > LINGER_MICROS) this.flows.remove(closed)
      else break
    }
    for (let open = this.flows.oldestOpen; open !== null; open = this.flows.oldestOpen) {
      if (time.isStray(open.lastMicros)) this.flows.restamp(open)
      else if (time.clock - open.lastMicros > IDLE_MICROS) this.#close(open, END_IDLE)
      else break
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

  /** @returns the open flow that the segment belongs to, made if it starts one; null when it belongs to none */
  #connection(
    flow: Flow | null,
    direction: Direction,
    seq: number,
    ack: number,
    flags: number,
    length: number,
    interfaceId: number,
  ): Flow | null {
    const syn = (flags & FLAG_SYN) !== 0
    const starts = (syn || length > 0) && (flags & FLAG_RST) === 0
    if (flow === null) return starts ? this.#open(null, interfaceId) : null
    if (flow.state === FLOW_CLOSED) {
      const fresh = syn
        ? this.#begins(flow.streams[direction], seq, flags)
        : Math.abs(this.#time.micros - flow.lastMicros) > LINGER_MICROS
      return starts && fresh ? this.#open(flow, interfaceId) : null
    }
    const stream = flow.streams[direction]
    if (!syn) {
      if (!stream.rivalKnown || seq !== stream.rivalSeq || seq === stream.firstSeq || (flags & FLAG_RST) !== 0)
        return flow
      return this.#prevail(flow, direction, seq, interfaceId)
    }
    return (flags & FLAG_ACK) === 0
      ? this.#asked(flow, direction, seq, length, flags, interfaceId)
      : this.#answered(flow, direction, seq, ack, flags, interfaceId)
  }

  /**
   * A SYN on an open flow's tuple. Where the connection has carried data it may be a stray one, which the server answers
   * by going on (RFC 9293 §3.10.7.4, RFC 5961 §4), or a capture that is being replayed, or read, once more: the answer
   * tells.
   */
  #asked(flow: Flow, direction: Direction, seq: number, length: number, flags: number, id: number): Flow | null {
    const stream = flow.streams[direction]
    const continues = this.#continues(flow, direction, seq, flags)
    if (continues && Math.abs(this.#time.micros - flow.lastMicros) <= TWIN_MICROS) return flow
    if (!delivered(stream)) return continues ? flow : this.#supersede(flow, id)
    if (length > 0 && !continues) return this.#supersede(flow, id)
    setAside(stream, seq)
    return continues ? flow : null
  }

  /** A SYN+ACK on an open flow's tuple. */
  #answered(flow: Flow, direction: Direction, seq: number, ack: number, flags: number, id: number): Flow | null {
    const stream = flow.streams[direction]
    const client = flow.streams[1 - direction]
    if (client.rivalKnown && ack === client.rivalSeq) return this.#supersede(flow, id)
    if (this.#continues(flow, direction, seq, flags)) return flow
    if (!client.synSeen || ack !== client.firstSeq || delivered(stream)) return this.#supersede(flow, id)
    // Two answers to one SYN, as balancers without a memory give them: the client takes one.
    setAside(stream, seq)
    return null
  }

  /** A segment goes on from a SYN that had been set aside: it was a new connection's, or the answer that the client took. */
  #prevail(flow: Flow, direction: Direction, seq: number, interfaceId: number): Flow {
    const stream = flow.streams[direction]
    const superseded = delivered(stream)
    // Numbers cannot change under what is held.
    if (!superseded && stream.held !== null) return flow
    const current = superseded ? this.#supersede(flow, interfaceId) : flow
    if (superseded) current.clientDirection = direction
    beginAnew(current.streams[direction], seq)
    return current
  }

  #supersede(flow: Flow, interfaceId: number): Flow {
    this.#close(flow, END_SUPERSEDED)
    return this.#open(flow, interfaceId)
  }

  /** Whether a SYN on a closed flow's tuple starts another connection: a SYN alone is not repeated once both ends are done. */
  #begins(stream: Stream, seq: number, flags: number): boolean {
    return (flags & FLAG_ACK) === 0 || !this.#repeats(stream, seq)
  }

  #repeats(stream: Stream, seq: number): boolean {
    return stream.synSeen && stream.firstSeq === seqAdd(seq, 1)
  }

  /** Whether a SYN belongs to the open connection: a repetition, the handshake's answer, or one captured late. */
  #continues(flow: Flow, direction: Direction, seq: number, flags: number): boolean {
    const stream = flow.streams[direction]
    if (stream.synSeen) return this.#repeats(stream, seq)
    if ((flags & FLAG_ACK) !== 0 || !stream.known) {
      const other = flow.streams[1 - direction]
      if (other.synSeen) return true
    }
    if (!stream.known) return false
    const ahead = seqDiff(seqAdd(seq, 1), stream.nextSeq)
    return ahead >= 0 && ahead <= LATE_SYN_BYTES
  }

  #open(closed: Flow | null, interfaceId: number): Flow {
    this.#counts[C.flowsSeen]++
    this.#counts[C.flowsOpen]++
    if (closed === null && this.flows.crowded) this.#evictElsewhere()
    if (closed === null && this.flows.full) this.#evict()
    const flow = closed ?? this.flows.add(interfaceId)
    if (closed !== null) this.flows.reopen(closed, interfaceId)
    flow.hopLimitPending = this.#owner.checksHopLimit(interfaceId)
    return flow
  }

  /** Makes room between the ends last looked up. */
  #evictElsewhere(): void {
    const idlest = this.flows.elsewhere.reduce((a, b) => (b.lastMicros < a.lastMicros ? b : a))
    this.#close(idlest, END_EVICTED)
    this.flows.remove(idlest)
  }

  #evict(): void {
    const open = this.flows.oldestOpen
    if (this.flows.oldestClosed === null && open !== null) this.#close(open, END_EVICTED)
    const closed = this.flows.oldestClosed
    if (closed !== null) this.flows.remove(closed)
  }

  #segmentOfOpen(
    flow: Flow,
    direction: Direction,
    payload: number,
    end: number,
    seq: number,
    ack: number,
    flags: number,
  ): void {
    const stream = flow.streams[direction]
    const other = flow.streams[1 - direction]
    if ((flags & FLAG_RST) !== 0) {
      if (stream.known && Math.abs(seqDiff(stream.nextSeq, seq)) > RESET_WINDOW) this.#counts[C.segmentsIgnored]++
      else this.#close(flow, END_RESET)
      return
    }
    let first = seq
    if ((flags & FLAG_SYN) !== 0) {
      first = seqAdd(seq, 1)
      this.#handshake(flow, direction, first, ack, flags)
    } else if (!stream.known || !other.known) this.#learn(flow, direction, seq, ack)
    if (!delivered(other) && direction === flow.clientDirection) takeAnswer(other, ack, flags)
    let acknowledged = ack
    let told = flags
    if (ack === 0 || (flags & FLAG_ACK) === 0) {
      // Written by a hand that cares for no acknowledgements: what came before it counts as acknowledged.
      if (other.known) acknowledged = other.nextSeq
      told &= ~FLAG_ACK
    }
    if (flow.protocol !== PROTOCOL_OPAQUE) {
      this.#reassembler.segment(flow, direction, payload, end, first, acknowledged, told)
    } else if ((flags & FLAG_FIN) !== 0) stream.ended = true
    if (stream.ended && other.ended) this.#close(flow, END_FIN)
  }

  #handshake(flow: Flow, direction: Direction, firstSeq: number, ack: number, flags: number): void {
    begin(flow.streams[direction], firstSeq)
    if ((flags & FLAG_ACK) === 0) {
      if (flow.clientDirection === -1) flow.clientDirection = direction
      return
    }
    const client = (1 - direction) as Direction
    if (flow.clientDirection === -1) flow.clientDirection = client
    begin(flow.streams[client], ack)
  }

  /** Of a connection whose handshake was not (wholly) seen: what the first segments still tell. */
  #learn(flow: Flow, direction: Direction, seq: number, ack: number): void {
    const stream = flow.streams[direction]
    const other = flow.streams[1 - direction]
    if (!stream.known && !other.known) {
      flow.midstream = true
      this.#counts[C.midstream]++
    } else if (stream.synSeen && seq === stream.firstSeq && !other.known) begin(other, ack)
  }

  #close(flow: Flow, how: number): void {
    if (flow.state !== FLOW_OPEN) return
    if (flow.protocol !== PROTOCOL_OPAQUE) this.#reassembler.finish(flow, how)
    this.#reassembler.discard(flow)
    this.#owner.release(flow)
    this.#counts[CLOSED_COUNTERS[how]]++
    this.#counts[C.flowsOpen]--
    this.flows.close(flow)
  }
}

/** Whether a segment has the numbers of this connection, of which it is a copy or the peer's answer. */
function continuesNumbers(flow: Flow, direction: Direction, seq: number, ack: number, flags: number): boolean {
  const stream = flow.streams[direction]
  const other = flow.streams[1 - direction]
  if ((flags & FLAG_SYN) !== 0) {
    const first = stream.synSeen && stream.firstSeq === seqAdd(seq, 1)
    if ((flags & FLAG_ACK) === 0) return first
    return other.synSeen && other.firstSeq === ack && (first || !stream.synSeen)
  }
  // What is not followed any more has no numbers to compare.
  if (flow.protocol === PROTOCOL_OPAQUE) return false
  const acknowledges = (flags & FLAG_ACK) !== 0 && ack !== 0 && other.known
  if (!stream.known && !acknowledges) return false
  return (!stream.known || near(stream.nextSeq, seq)) && (!acknowledges || near(other.nextSeq, ack))
}

const near = (a: number, b: number): boolean => Math.abs(seqDiff(a, b)) <= TWIN_BYTES

/** Where the header that begins with this byte has its TTL, or its hop limit. */
const hopLimitAt = (first: number): number => (first >>> 4 === 4 ? 8 : 7)

/** Whether bytes of it have gone on to whoever reads them. */
const delivered = (stream: Stream): boolean => stream.known && (!stream.synSeen || stream.nextSeq !== stream.firstSeq)

/** Remembers a SYN of this number beside the stream's own, until it is known which counts. */
function setAside(stream: Stream, seq: number): void {
  stream.rivalSeq = seqAdd(seq, 1)
  stream.rivalKnown = true
}

/**
 * The client has answered the server's SYN: of two it took the one that it acknowledges, and where it acknowledges what
 * no answer seen can have sent, one that was not seen.
 */
function takeAnswer(server: Stream, ack: number, flags: number): void {
  if (!server.synSeen || server.held !== null || ack === 0 || (flags & (FLAG_ACK | FLAG_SYN)) !== FLAG_ACK) return
  const ahead = seqDiff(server.firstSeq, ack)
  if (ahead < 0 || ahead > RESET_WINDOW || (server.rivalKnown && ack === server.rivalSeq)) beginAnew(server, ack)
}

function beginAnew(stream: Stream, firstSeq: number): void {
  stream.synSeen = false
  stream.known = false
  stream.ackedKnown = false
  stream.rivalKnown = false
  begin(stream, firstSeq)
}

function begin(stream: Stream, firstSeq: number): void {
  if (stream.synSeen) return
  stream.synSeen = true
  stream.firstSeq = firstSeq
  if (stream.known) return
  stream.known = true
  stream.nextSeq = firstSeq
  stream.reached = firstSeq
}
