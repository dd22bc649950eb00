/**
 * Puts a flow's segments in order and hands their bytes on, once each: the first copy of a byte wins, whatever the
 * boundaries of later ones (RFC 9293 §3.10.7.4 trims the same way).
 *
 * A hole becomes a gap as soon as waiting is pointless: the receiver has acknowledged past it and the sender has gone on
 * past it, so it will never be sent again and our capture lost it. Else at the bound of what one stream may hold, after
 * HOLE_MICROS of packet time, or when the flow ends. A bare acknowledgement alone leaves the hole one more segment of its
 * sender, because merged captures show an acknowledgement before the last of what it acknowledges; one that carries the
 * receiver's next bytes, or covers the FIN, does not.
 *
 * Causes come before effects: a server's segment that acknowledges client bytes we have not seen waits for them, because
 * captures of several queues or interfaces deliver the two directions slightly out of step.
 */

import { ASSEMBLE_COUNTERS } from '../../ledger/counters.ts'
import { END_FIN } from '../../ledger/reasons.ts'
import { BLOCK_BYTES, type BlockPool } from '../memory/block-pool.ts'
import type { PacketTime } from '../packet-time.ts'
import { type Direction, type Flow, HeldSegment, type Stream } from './flow.ts'
import { seqAdd, seqDiff } from './seq.ts'

/** Where a flow's bytes go, in order. Addresses are into the arena and valid during the call. */
export interface StreamConsumer {
  /**
   * In-order bytes [at, end); `seq` is the first one's, `ack` belongs to the segment that carried them, as does the packet
   * time during the call.
   */
  data(flow: Flow, direction: Direction, at: number, end: number, seq: number, ack: number): void
  /** `bytes` bytes are given up on, 0 where their number is unknown; the next data continues after them. */
  gap(flow: Flow, direction: Direction, bytes: number): void
  /** Nothing follows on this stream; `how` is an END_ value. Called once per stream. */
  end(flow: Flow, direction: Direction, how: number): void
}

/** What one stream may hold behind a hole. At the bound the oldest hole becomes a gap (gaps.bound). */
const STREAM_HELD_BYTES = 1024 * 1024
/** A hole that nobody acknowledges lives this long in packet time (gaps.expired): longer than a TCP gives retransmissions a chance. */
const HOLE_MICROS = 30_000_000

/** Distance of numbers that are as far ahead as behind: of no use, and never held. */
const OPPOSITE = -(2 ** 31)

/** Bits of the TCP header's flags byte (RFC 9293 §3.1). */
export const FLAG_FIN = 0x01
export const FLAG_SYN = 0x02
export const FLAG_RST = 0x04
export const FLAG_ACK = 0x10

const C = ASSEMBLE_COUNTERS.index

export class Reassembler {
  readonly #pool: BlockPool
  readonly #counts: Float64Array
  readonly #time: PacketTime
  readonly #consumer: StreamConsumer
  #spare: HeldSegment | null = null

  constructor(pool: BlockPool, counts: Float64Array, time: PacketTime, consumer: StreamConsumer) {
    this.#pool = pool
    this.#counts = counts
    this.#time = time
    this.#consumer = consumer
  }

  /**
   * Takes one segment of an open flow.
   *
   * @param at, end its payload; may be empty
   * @param seq sequence number of the first payload byte
   * @param flags the TCP header's flags byte
   */
  segment(flow: Flow, direction: Direction, at: number, end: number, seq: number, ack: number, flags: number): void {
    const stream = flow.streams[direction]
    const length = end - at
    if ((flags & FLAG_ACK) !== 0) this.#acknowledge(flow, (1 - direction) as Direction, ack, length > 0)
    if (!stream.known) {
      stream.known = true
      stream.nextSeq = seq
      stream.reached = seq
      // Its SYN was missed though the other side's was not: what came before this segment is unknown.
      if (!flow.midstream) this.#consumer.gap(flow, direction, 0)
    } else if (seqDiff(stream.reached, seq) > 0) stream.reached = seq
    if ((flags & FLAG_FIN) !== 0 && !stream.finSeen) {
      stream.finSeen = true
      stream.finSeq = seqAdd(seq, length)
    }
    if (length > 0) {
      if (seq === stream.nextSeq && stream.held === null && !stream.ended && !this.#early(flow, direction, ack)) {
        stream.nextSeq = seqAdd(seq, length)
        this.#consumer.data(flow, direction, at, end, seq, ack)
      } else this.#outOfOrder(flow, direction, stream, at, end, seq, ack)
    }
    if (stream.held !== null || stream.finSeen || seqDiff(stream.nextSeq, stream.reached) > 0) {
      this.#release(flow, direction)
    }
    const server = (1 - direction) as Direction
    if (flow.clientDirection === direction && flow.streams[server].held !== null) this.#deliver(flow, server)
  }

  /** Gives up every hole, delivers what lay behind, and ends both streams. */
  finish(flow: Flow, how: number): void {
    const first: Direction = flow.clientDirection === 1 ? 1 : 0
    this.#finishStream(flow, first, how)
    this.#finishStream(flow, (1 - first) as Direction, how)
  }

  /** Frees what a flow holds without delivering it. */
  discard(flow: Flow): void {
    for (const stream of flow.streams) {
      while (stream.held !== null) this.#drop(stream)
    }
  }

  #finishStream(flow: Flow, direction: Direction, how: number): void {
    const stream = flow.streams[direction]
    while (stream.held !== null) {
      const hole = seqDiff(stream.nextSeq, stream.held.seq)
      if (hole > 0) this.#gap(flow, direction, hole, C.gapsEnded)
      this.#deliverFirst(flow, direction, stream)
    }
    if (stream.ended) return
    stream.ended = true
    const complete = stream.finSeen && seqDiff(stream.finSeq, stream.nextSeq) >= 0
    this.#consumer.end(flow, direction, complete ? END_FIN : how)
  }

  /** @param conclusive the receiver has gone on to send bytes of its own */
  #acknowledge(flow: Flow, direction: Direction, ack: number, conclusive: boolean): void {
    const stream = flow.streams[direction]
    if (!stream.ackedKnown || seqDiff(stream.acked, ack) > 0) {
      stream.ackedKnown = true
      stream.acked = ack
    }
    if (!stream.known || stream.ended) return
    if (!conclusive && !(stream.finSeen && seqDiff(stream.finSeq, ack) > 0)) return
    if (stream.held !== null || seqDiff(stream.nextSeq, stream.reached) > 0) this.#release(flow, direction)
  }

  /** A server's bytes that answer client bytes we have yet to see. */
  #early(flow: Flow, direction: Direction, ack: number): boolean {
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
    if (behind >= end - at || behind === OPPOSITE || stream.ended) {
      counts[C.segmentsDuplicate]++
      return
    }
    let start = behind > 0 ? at + behind : at
    let first = behind > 0 ? stream.nextSeq : seq
    if (first === stream.nextSeq && !this.#early(flow, direction, ack)) {
      // What fills a hole is delivered as it comes, up to what is held: it must not depend on room in the pool.
      const hole = stream.held === null ? end - start : seqDiff(first, stream.held.seq)
      const stop = Math.min(end, start + Math.max(0, hole))
      stream.nextSeq = seqAdd(first, stop - start)
      if (stop > start) this.#consumer.data(flow, direction, start, stop, first, ack)
      if (stop === end) return
      start = stop
      first = stream.nextSeq
    }
    counts[C.segmentsOutOfOrder]++
    this.#hold(stream, start, end, first, ack)
    while (stream.heldBytes > STREAM_HELD_BYTES) this.#giveUpOldest(flow, direction, stream, C.gapsBound)
  }

  /** Stores the parts of [at, end) that no held segment has yet. */
  #hold(stream: Stream, at: number, end: number, seq: number, ack: number): void {
    let previous: HeldSegment | null = null
    let next = stream.held
    let from = at
    let fromSeq = seq
    while (from < end) {
      while (next !== null && seqDiff(seqAdd(next.seq, next.chain.length), fromSeq) >= 0) {
        previous = next
        next = next.next
      }
      let to = end
      if (next !== null) to = Math.min(end, from + Math.max(0, seqDiff(fromSeq, next.seq)))
      if (to > from) {
        const kept = this.#store(from, to, fromSeq, ack)
        if (kept === null) return
        kept.next = next
        if (previous === null) stream.held = kept
        else previous.next = kept
        previous = kept
        stream.heldBytes += to - from
      }
      if (next === null) return
      const covered = seqDiff(fromSeq, seqAdd(next.seq, next.chain.length))
      from += covered
      fromSeq = seqAdd(fromSeq, covered)
    }
  }

  /** @returns null when the pool is at its bound: the bytes are as good as never seen, and become a gap. */
  #store(from: number, to: number, seq: number, ack: number): HeldSegment | null {
    const held = this.#spare ?? new HeldSegment()
    if (!this.#pool.append(held.chain, from, to - from)) {
      this.#spare = held
      this.#counts[C.segmentsNoRoom]++
      return null
    }
    this.#spare = held.next
    held.next = null
    held.seq = seq
    held.ack = ack
    held.micros = this.#time.micros
    return held
  }

  /** Delivers what has become deliverable, turns pointless holes into gaps, and ends the stream at its FIN. */
  #release(flow: Flow, direction: Direction): void {
    const stream = flow.streams[direction]
    for (;;) {
      this.#deliver(flow, direction)
      const held = stream.held
      const lost = this.#lost(stream, held)
      if (lost > 0) this.#gap(flow, direction, lost, C.gapsAcked)
      else if (held !== null && this.#time.clock - held.micros > HOLE_MICROS) {
        this.#giveUpOldest(flow, direction, stream, C.gapsExpired)
      } else break
    }
    if (stream.finSeen && !stream.ended && seqDiff(stream.finSeq, stream.nextSeq) >= 0) {
      stream.ended = true
      this.#consumer.end(flow, direction, END_FIN)
    }
  }

  /** Delivers held segments that are next in order and answer nothing unseen. */
  #deliver(flow: Flow, direction: Direction): void {
    const stream = flow.streams[direction]
    for (let held = stream.held; held !== null; held = stream.held) {
      if (seqDiff(stream.nextSeq, held.seq) > 0) return
      if (this.#early(flow, direction, held.ack)) return
      this.#deliverFirst(flow, direction, stream)
    }
  }

  /** Bytes from `nextSeq` on that the receiver has acknowledged and the sender has gone past. */
  #lost(stream: Stream, held: HeldSegment | null): number {
    if (!stream.ackedKnown || stream.ended) return 0
    const reached = held === null ? (stream.finSeen ? stream.finSeq : stream.reached) : held.seq
    return Math.min(seqDiff(stream.nextSeq, reached), seqDiff(stream.nextSeq, stream.acked))
  }

  /** At a bound: the hole in front becomes a gap, or the client bytes that the held ones answer do. */
  #giveUpOldest(flow: Flow, direction: Direction, stream: Stream, reason: number): void {
    const held = stream.held
    if (held === null) return
    const hole = seqDiff(stream.nextSeq, held.seq)
    if (hole > 0) this.#gap(flow, direction, hole, reason)
    else if (this.#early(flow, direction, held.ack)) {
      const client = (1 - direction) as Direction
      this.#gap(flow, client, seqDiff(flow.streams[client].nextSeq, held.ack), reason)
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

  /** Delivers the first held segment but for bytes that were delivered since, block by block. */
  #deliverFirst(flow: Flow, direction: Direction, stream: Stream): void {
    const held = stream.held
    if (held === null) return
    const pool = this.#pool
    const time = this.#time
    const now = time.micros
    time.micros = held.micros
    let skip = seqDiff(held.seq, stream.nextSeq)
    let left = held.chain.length
    let block = pool.firstBlock(held.chain)
    while (left > 0) {
      const count = Math.min(BLOCK_BYTES, left)
      if (skip < count) {
        const at = pool.blockAddress(block)
        const seq = stream.nextSeq
        stream.nextSeq = seqAdd(seq, count - skip)
        this.#consumer.data(flow, direction, at + skip, at + count, seq, held.ack)
        skip = 0
      } else skip -= count
      left -= count
      block = pool.nextBlock(block)
    }
    time.micros = now
    this.#drop(stream)
  }

  #drop(stream: Stream): void {
    const held = stream.held
    if (held === null) return
    stream.held = held.next
    stream.heldBytes -= held.chain.length
    this.#pool.free(held.chain)
    held.next = this.#spare
    this.#spare = held
  }
}
