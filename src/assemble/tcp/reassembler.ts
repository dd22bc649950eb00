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
import { ASSEMBLE_COUNTERS } from '../../ledger/counters.ts'
import { END_FIN } from '../../ledger/reasons.ts'
import { FLAG_ACK, FLAG_FIN } from '../../net/tcp-header.ts'
import type { PacketTime } from '../packet-time.ts'
import { atFin, lostBytes, missingTail, noteFin, voidPassedFin } from './fin.ts'
import type { Direction, Flow, Stream } from './flow.ts'
import type { FlowTable } from './flow-table.ts'
import { type HeldPieces, NO_PIECE } from './held-pieces.ts'
import { seqAdd, seqDiff } from './seq.ts'
import { Suspicions } from './suspicions.ts'

/** Receives a flow's bytes, in order. Addresses are into the arena and valid during the call. */
export interface StreamConsumer {
  /**
   * In-order bytes [at, end); `seq` is the first one's, `ack` belongs to the segment that carried them, as does the
   * packet time during the call.
   */
  data(flow: Flow, direction: Direction, at: number, end: number, seq: number, ack: number): void
  /** `bytes` bytes are given up on, 0 where their number is unknown; the next data continues after them. */
  gap(flow: Flow, direction: Direction, bytes: number): void
  /** Which bytes the receiver's application read cannot be proved, though all were captured. */
  ambiguous(flow: Flow): void
  /** Nothing follows on this stream; `how` is an END_ value. Called once per stream. */
  end(flow: Flow, direction: Direction, how: number): void
}

/** Bytes that one stream may hold behind a hole. At the bound the oldest hole becomes a gap (gaps.bound). */
const STREAM_HELD_BYTES = 1024 * 1024
/** Pieces that one stream may hold: as many as fill that with segments of 64 bytes. */
const STREAM_PIECES = 16_384
/** Lifetime, in packet time, of an unacknowledged hole (gaps.expired): longer than a TCP retransmits. */
const HOLE_MICROS = 30_000_000
/** A distance of exactly 2^31 is both ahead and behind: such a segment is ignored. */
const OPPOSITE = -(2 ** 31)

const C = ASSEMBLE_COUNTERS.index

export class Reassembler {
  readonly #pieces: HeldPieces
  readonly #flows: FlowTable
  readonly #counts: Float64Array
  readonly #time: PacketTime
  readonly #consumer: StreamConsumer
  readonly #suspicions = new Suspicions()

  constructor(pieces: HeldPieces, flows: FlowTable, counts: Float64Array, time: PacketTime, consumer: StreamConsumer) {
    this.#pieces = pieces
    this.#flows = flows
    this.#counts = counts
    this.#time = time
    this.#consumer = consumer
  }

  /**
   * Processes one segment of an open flow.
   *
   * @param at, end its payload; may be empty
   * @param seq sequence number of the first payload byte
   * @param flags the TCP header's flags byte
   */
  segment(flow: Flow, direction: Direction, at: number, end: number, seq: number, ack: number, flags: number): void {
    const stream = flow.streams[direction]
    const length = end - at
    flow.segments = (flow.segments + 1) | 0
    if ((flags & FLAG_ACK) !== 0) this.#acknowledge(flow, (1 - direction) as Direction, ack)
    if (!stream.known) {
      stream.known = true
      stream.nextSeq = seq
      stream.reached = seq
      // Its SYN was not captured though the other side's was: an unknown number of bytes precedes this segment.
      if (!flow.midstream) this.#consumer.gap(flow, direction, 0)
    } else if (seqDiff(stream.reached, seq) > 0) stream.reached = seq
    if (length > 0) {
      if (seq === stream.nextSeq && stream.held === NO_PIECE && !stream.ended && !this.#isEarly(flow, direction, ack)) {
        this.#pass(flow, direction, stream, at, end, seq, ack)
      } else this.#outOfOrder(flow, direction, stream, at, end, seq, ack)
    }
    if ((flags & FLAG_FIN) !== 0) noteFin(stream, seqAdd(seq, length))
    if (stream.held !== NO_PIECE || stream.finSeen || seqDiff(stream.nextSeq, stream.reached) > 0) {
      this.#release(flow, direction)
    }
    const server = (1 - direction) as Direction
    if (flow.clientDirection === direction && flow.streams[server].held !== NO_PIECE) this.#deliver(flow, server)
  }

  /**
   * The sender marks the byte at `seq` as urgent (RFC 9293 §3.8.5).
   *
   * A second urgent byte makes the first an ordinary one where the application has not read that far: unless the peer
   * has sent something since, only the application knows.
   */
  urgent(flow: Flow, direction: Direction, seq: number): void {
    const stream = flow.streams[direction]
    if (stream.known && seqDiff(stream.nextSeq, seq) < 0) return
    if (stream.urgentSeen && stream.rare.urgentSeq === seq) return
    const unread = stream.urgentRemoved && stream.rare.urgentPeerSeq === flow.streams[1 - direction].nextSeq
    if (stream.urgentSeen || unread) this.#consumer.ambiguous(flow)
    stream.urgentSeen = true
    stream.rare.urgentSeq = seq
  }

  /** Gives up every hole, delivers the bytes behind it, and ends both streams. */
  finish(flow: Flow, how: number): void {
    const first: Direction = flow.clientDirection === 1 ? 1 : 0
    this.#finishStream(flow, first, how)
    this.#finishStream(flow, (1 - first) as Direction, how)
  }

  /**
   * Gives up one hole whose time is over, even if its flow is active. Called between segments, until it returns null.
   *
   * @returns the hole's flow, whose streams may have ended
   */
  expire(): Flow | null {
    const pieces = this.#pieces
    const { clock } = this.#time
    const { oldest } = pieces
    if (oldest !== NO_PIECE && clock - pieces.heldSince(oldest) > HOLE_MICROS) {
      return this.#giveUpThrough(oldest, C.gapsExpired)
    }
    const suspected = this.#suspicions.overdue(clock)
    return suspected === null ? null : this.#review(suspected.owner)
  }

  /** Gives up the hole that has been open longest, for lack of room. Called between segments. @returns its flow, or null */
  evict(): Flow | null {
    const { oldest } = this.#pieces
    return oldest === NO_PIECE ? null : this.#giveUpThrough(oldest, C.gapsEvicted)
  }

  /** Frees what a flow holds without delivering it. */
  discard(flow: Flow): void {
    for (const stream of flow.streams) this.#dropAll(stream)
  }

  #finishStream(flow: Flow, direction: Direction, how: number): void {
    const stream = flow.streams[direction]
    while (stream.held !== NO_PIECE && !atFin(stream)) {
      const hole = seqDiff(stream.nextSeq, this.#pieces.seq(stream.held))
      if (hole > 0) this.#gap(flow, direction, hole, C.gapsEnded)
      this.#deliverFirst(flow, direction, stream)
    }
    this.#dropAll(stream)
    if (stream.ended) return
    const missing = missingTail(stream)
    if (missing > 0) this.#gap(flow, direction, missing, C.gapsEnded)
    this.#end(flow, direction, stream, atFin(stream) ? END_FIN : how)
  }

  #acknowledge(flow: Flow, direction: Direction, ack: number): void {
    const stream = flow.streams[direction]
    if (!stream.ackedKnown || seqDiff(stream.acked, ack) > 0) {
      stream.ackedKnown = true
      stream.acked = ack
    }
    if (!stream.known || stream.ended) return
    if (stream.held !== NO_PIECE || seqDiff(stream.nextSeq, stream.reached) > 0) this.#release(flow, direction)
  }

  /** Whether a segment is a server's response to client bytes that were not captured yet. */
  #isEarly(flow: Flow, direction: Direction, ack: number): boolean {
    if (flow.clientDirection !== 1 - direction) return false
    const client = flow.streams[1 - direction]
    return client.known && !client.ended && seqDiff(client.nextSeq, ack) > 0
  }

  #outOfOrder(
    flow: Flow,
    direction: Direction,
    stream: Stream,
    at: number,
    end: number,
    seq: number,
    ack: number,
  ): void {
    const counts = this.#counts
    const behind = seqDiff(seq, stream.nextSeq)
    if (stream.ended && behind < end - at) {
      counts[C.segmentsAfterEnd]++
      return
    }
    if (behind >= end - at || behind === OPPOSITE) {
      counts[C.segmentsDuplicate]++
      return
    }
    let start = behind > 0 ? at + behind : at
    let first = behind > 0 ? stream.nextSeq : seq
    if (first === stream.nextSeq && !this.#isEarly(flow, direction, ack)) {
      // Bytes that fill a hole are delivered at once, up to the held ones: they must not depend on room in the pool.
      const hole = stream.held === NO_PIECE ? end - start : seqDiff(first, this.#pieces.seq(stream.held))
      const stop = Math.min(end, start + Math.max(0, hole))
      if (stop > start) this.#pass(flow, direction, stream, start, stop, first, ack)
      if (stop === end) return
      start = stop
      first = stream.nextSeq
    }
    counts[C.segmentsOutOfOrder]++
    this.#hold(stream, start, end, first, ack)
    while (stream.rare.heldBytes > STREAM_HELD_BYTES || stream.rare.heldPieces > STREAM_PIECES) {
      this.#giveUpFirst(flow, direction, stream, C.gapsBound)
    }
  }

  /** Holds the parts of [at, end) that no piece has yet. Without room they count as never captured, and become a gap. */
  #hold(stream: Stream, at: number, end: number, seq: number, ack: number): void {
    const pieces = this.#pieces
    const time = this.#time
    const endSeq = seqAdd(seq, end - at)
    if (stream.held === NO_PIECE || seqDiff(stream.rare.heldEnd, endSeq) > 0) stream.rare.heldEnd = endSeq
    let previous = pieces.floor(stream, seq)
    for (let from = at; from < end; ) {
      const fromSeq = seqAdd(seq, from - at)
      const covered = previous === NO_PIECE ? 0 : seqDiff(fromSeq, pieces.endSeq(previous))
      if (covered > 0) {
        from += covered
        continue
      }
      const next = previous === NO_PIECE ? stream.held : pieces.next(previous)
      const room = next === NO_PIECE ? end - from : seqDiff(fromSeq, pieces.seq(next))
      if (room > 0) {
        const to = Math.min(end, from + room)
        const piece = pieces.add(stream, previous, from, to, fromSeq, ack, time.clock, time.micros)
        if (piece === NO_PIECE) {
          this.#counts[C.segmentsNoRoom]++
          return
        }
        from = to
      }
      previous = next
    }
  }

  /** Delivers what has become deliverable, turns holes that are believed lost into gaps, and ends the stream at its FIN. */
  #release(flow: Flow, direction: Direction): void {
    const stream = flow.streams[direction]
    const suspicions = this.#suspicions
    for (;;) {
      this.#deliver(flow, direction)
      voidPassedFin(stream)
      const lost = atFin(stream) ? 0 : lostBytes(stream, this.#firstSeq(stream))
      if (lost <= 0) {
        suspicions.clear(stream)
        break
      }
      if (!suspicions.isBelieved(flow, stream, this.#time.clock)) break
      const covered = suspicions.covered(stream, lost)
      if (covered > 0) this.#gap(flow, direction, covered, C.gapsAcked)
      else suspicions.clear(stream)
    }
    if (!stream.ended && atFin(stream)) this.#end(flow, direction, stream, END_FIN)
  }

  /** Sequence number of the first piece held; without one, of the furthest segment captured. */
  #firstSeq(stream: Stream): number {
    return stream.held === NO_PIECE ? stream.reached : this.#pieces.seq(stream.held)
  }

  /** Releases both streams of a flow, each of which may wait for the other. @param owner of one of them */
  #review(owner: number): Flow {
    const flow = this.#flows.at(owner >> 1)
    const direction = (owner & 1) as Direction
    this.#release(flow, direction)
    this.#release(flow, (1 - direction) as Direction)
    return flow
  }

  /** Delivers held segments that are next in order and answer no missing bytes, up to the FIN. */
  #deliver(flow: Flow, direction: Direction): void {
    const stream = flow.streams[direction]
    const pieces = this.#pieces
    for (let held = stream.held; held !== NO_PIECE; held = stream.held) {
      if (seqDiff(stream.nextSeq, pieces.seq(held)) > 0 || atFin(stream)) return
      if (this.#isEarly(flow, direction, pieces.ack(held))) return
      this.#deliverFirst(flow, direction, stream)
    }
  }

  /** Gives up the hole that the piece waits for. */
  #giveUpThrough(piece: number, reason: number): Flow {
    const pieces = this.#pieces
    const owner = pieces.owner(piece)
    const flow = this.#flows.at(owner >> 1)
    const direction = (owner & 1) as Direction
    do {
      this.#giveUpFirst(flow, direction, flow.streams[direction], reason)
      this.#review(owner)
    } while (pieces.oldest === piece)
    return flow
  }

  /** The hole in front becomes a gap, or the client bytes do that the first piece answers. */
  #giveUpFirst(flow: Flow, direction: Direction, stream: Stream, reason: number): void {
    const { held } = stream
    if (held === NO_PIECE) return
    const hole = seqDiff(stream.nextSeq, this.#pieces.seq(held))
    const ack = this.#pieces.ack(held)
    if (hole > 0) this.#gap(flow, direction, hole, reason)
    else if (this.#isEarly(flow, direction, ack)) {
      const client = (1 - direction) as Direction
      this.#gap(flow, client, seqDiff(flow.streams[client].nextSeq, ack), reason)
    }
    this.#deliverFirst(flow, direction, stream)
  }

  #gap(flow: Flow, direction: Direction, bytes: number, reason: number): void {
    const stream = flow.streams[direction]
    stream.nextSeq = seqAdd(stream.nextSeq, bytes)
    this.#counts[reason]++
    this.#counts[C.bytesGap] += bytes
    this.#consumer.gap(flow, direction, bytes)
  }

  /** Nothing follows: segments held beyond a FIN never reach the receiver's application. */
  #end(flow: Flow, direction: Direction, stream: Stream, how: number): void {
    this.#dropAll(stream)
    stream.ended = true
    this.#consumer.end(flow, direction, how)
  }

  /** Delivers the next bytes [at, end) of the stream, without the urgent byte. */
  #pass(flow: Flow, direction: Direction, stream: Stream, at: number, end: number, seq: number, ack: number): void {
    const urgent = stream.urgentSeen ? seqDiff(seq, stream.rare.urgentSeq) : end - at
    if (urgent >= end - at) {
      stream.nextSeq = seqAdd(seq, end - at)
      this.#consumer.data(flow, direction, at, end, seq, ack)
      return
    }
    stream.urgentSeen = false
    // Behind: the urgent byte was in a gap.
    if (urgent < 0) {
      this.#pass(flow, direction, stream, at, end, seq, ack)
      return
    }
    if (urgent > 0) this.#pass(flow, direction, stream, at, at + urgent, seq, ack)
    stream.urgentRemoved = true
    stream.rare.urgentPeerSeq = flow.streams[1 - direction].nextSeq
    const rest = urgent + 1
    stream.nextSeq = seqAdd(seq, rest)
    if (at + rest < end) this.#pass(flow, direction, stream, at + rest, end, seqAdd(seq, rest), ack)
  }

  /** Delivers the first piece without the bytes that have been delivered since. */
  #deliverFirst(flow: Flow, direction: Direction, stream: Stream): void {
    const pieces = this.#pieces
    const time = this.#time
    const piece = stream.held
    const now = time.micros
    time.micros = pieces.micros(piece)
    const ack = pieces.ack(piece)
    let skip = seqDiff(pieces.seq(piece), stream.nextSeq)
    let cell = piece
    for (let left = pieces.length(piece); left > 0; ) {
      cell = pieces.bytes(piece, cell, left)
      const { bytesAt: at, bytesLength: count } = pieces
      if (skip < count) {
        this.#pass(flow, direction, stream, at + skip, at + count, stream.nextSeq, ack)
        skip = 0
      } else skip -= count
      left -= count
    }
    time.micros = now
    pieces.removeFirst(stream)
  }

  #dropAll(stream: Stream): void {
    this.#pieces.clear(stream)
    this.#suspicions.clear(stream)
  }
}
