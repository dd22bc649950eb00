/**
 * Puts a flow's segments in order and delivers each byte once: the first copy of a byte wins, whatever the boundaries of
 * later copies (RFC 9293 §3.10.7.4 trims the same way).
 *
 * A hole becomes a gap as soon as waiting is pointless: the receiver has acknowledged past it and the sender has sent past
 * it, so it will never be sent again and the capture has lost it. Otherwise it becomes a gap at the bound of what one
 * stream may hold, after HOLE_MICROS of packet time, or when the flow ends. A bare acknowledgement alone leaves the hole
 * open for one more segment of its sender, because merged captures show an acknowledgement before the last of the bytes
 * that it acknowledges; an acknowledgement that carries the receiver's next bytes, or covers the FIN, closes it.
 *
 * Causes come before effects: a server's segment that acknowledges client bytes not captured yet waits for them, because
 * captures of several queues or interfaces deliver the two directions slightly out of step.
 *
 * The urgent byte is removed: receivers that do not ask for it inline, as no HTTP implementation does, read the stream
 * without it (RFC 6093 §3).
 */
import { ASSEMBLE_COUNTERS } from '../../ledger/counters.ts'
import { END_FIN } from '../../ledger/reasons.ts'
import { BLOCK_BYTES, type BlockPool } from '../memory/block-pool.ts'
import type { PacketTime } from '../packet-time.ts'
import { type Direction, type Flow, HeldSegment, type Stream } from './flow.ts'
import { FLAG_ACK, FLAG_FIN } from './header.ts'
import { seqAdd, seqDiff, WINDOW_BYTES } from './seq.ts'

/** Receives a flow's bytes, in order. Addresses are into the arena and valid during the call. */
export interface StreamConsumer {
  /**
   * In-order bytes [at, end); `seq` is the first one's, `ack` belongs to the segment that carried them, as does the packet
   * time during the call.
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
/** Lifetime, in packet time, of a hole that nobody acknowledges (gaps.expired): longer than a TCP retransmits. */
const HOLE_MICROS = 30_000_000
/** A distance of exactly 2^31 is both ahead and behind: such a segment is ignored. */
const OPPOSITE = -(2 ** 31)

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
   * Processes one segment of an open flow.
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
      // Its SYN was not captured though the other side's was: an unknown number of bytes precedes this segment.
      if (!flow.midstream) this.#consumer.gap(flow, direction, 0)
    } else if (seqDiff(stream.reached, seq) > 0) stream.reached = seq
    if (length > 0) {
      if (seq === stream.nextSeq && stream.held === null && !stream.ended && !this.#isEarly(flow, direction, ack)) {
        this.#pass(flow, direction, stream, at, end, seq, ack)
      } else this.#outOfOrder(flow, direction, stream, at, end, seq, ack)
    }
    if ((flags & FLAG_FIN) !== 0) noteFin(stream, seqAdd(seq, length))
    if (stream.held !== null || stream.finSeen || seqDiff(stream.nextSeq, stream.reached) > 0) {
      this.#release(flow, direction)
    }
    const server = (1 - direction) as Direction
    if (flow.clientDirection === direction && flow.streams[server].held !== null) this.#deliver(flow, server)
  }

  /**
   * The sender marks the byte at `seq` as urgent (RFC 9293 §3.8.5).
   *
   * A second urgent byte makes the first an ordinary one where the application has not read that far: unless the peer has
   * sent something since, nobody but the application knows.
   */
  urgent(flow: Flow, direction: Direction, seq: number): void {
    const stream = flow.streams[direction]
    if (stream.known && seqDiff(stream.nextSeq, seq) < 0) return
    if (stream.urgentSeen && stream.urgentSeq === seq) return
    const unread = stream.urgentRemoved && stream.urgentPeerSeq === flow.streams[1 - direction].nextSeq
    if (stream.urgentSeen || unread) this.#consumer.ambiguous(flow)
    stream.urgentSeen = true
    stream.urgentSeq = seq
  }

  /** Gives up every hole, delivers the bytes behind it, and ends both streams. */
  finish(flow: Flow, how: number): void {
    const first: Direction = flow.clientDirection === 1 ? 1 : 0
    this.#finishStream(flow, first, how)
    this.#finishStream(flow, (1 - first) as Direction, how)
  }

  /** Frees what a flow holds without delivering it. */
  discard(flow: Flow): void {
    for (const stream of flow.streams) this.#dropAll(stream)
  }

  #finishStream(flow: Flow, direction: Direction, how: number): void {
    const stream = flow.streams[direction]
    while (stream.held !== null && !atFin(stream)) {
      const hole = seqDiff(stream.nextSeq, stream.held.seq)
      if (hole > 0) this.#gap(flow, direction, hole, C.gapsEnded)
      this.#deliverFirst(flow, direction, stream)
    }
    this.#dropAll(stream)
    if (stream.ended) return
    const missing = missingTail(stream)
    if (missing > 0) this.#gap(flow, direction, missing, C.gapsEnded)
    this.#end(flow, direction, stream, atFin(stream) ? END_FIN : how)
  }

  /** @param conclusive the receiver has sent bytes of its own since */
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

  /** Whether a segment is a server's answer to client bytes that were not captured yet. */
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
      const hole = stream.held === null ? end - start : seqDiff(first, stream.held.seq)
      const stop = Math.min(end, start + Math.max(0, hole))
      if (stop > start) this.#pass(flow, direction, stream, start, stop, first, ack)
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
    const endSeq = seqAdd(seq, end - at)
    if (stream.held === null || seqDiff(stream.heldEnd, endSeq) > 0) stream.heldEnd = endSeq
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

  /** @returns null when the pool is at its bound: the bytes count as never captured, and become a gap */
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
      voidPassedFin(stream)
      const held = stream.held
      const lost = atFin(stream) ? 0 : lostBytes(stream)
      if (lost > 0) this.#gap(flow, direction, lost, C.gapsAcked)
      else if (held !== null && !atFin(stream) && this.#time.clock - held.micros > HOLE_MICROS) {
        this.#giveUpOldest(flow, direction, stream, C.gapsExpired)
      } else break
    }
    if (!stream.ended && atFin(stream)) this.#end(flow, direction, stream, END_FIN)
  }

  /** Delivers held segments that are next in order and answer no missing bytes, up to the FIN. */
  #deliver(flow: Flow, direction: Direction): void {
    const stream = flow.streams[direction]
    for (let held = stream.held; held !== null; held = stream.held) {
      if (seqDiff(stream.nextSeq, held.seq) > 0 || atFin(stream)) return
      if (this.#isEarly(flow, direction, held.ack)) return
      this.#deliverFirst(flow, direction, stream)
    }
  }

  /** At a bound: the hole in front becomes a gap, or the client bytes do that the held segments answer. */
  #giveUpOldest(flow: Flow, direction: Direction, stream: Stream, reason: number): void {
    const held = stream.held
    if (held === null) return
    const hole = seqDiff(stream.nextSeq, held.seq)
    if (hole > 0) this.#gap(flow, direction, hole, reason)
    else if (this.#isEarly(flow, direction, held.ack)) {
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

  /** Nothing follows: segments held beyond a FIN never reach the receiver's application. */
  #end(flow: Flow, direction: Direction, stream: Stream, how: number): void {
    this.#dropAll(stream)
    stream.ended = true
    this.#consumer.end(flow, direction, how)
  }

  /** Delivers the next bytes [at, end) of the stream, without the urgent byte. */
  #pass(flow: Flow, direction: Direction, stream: Stream, at: number, end: number, seq: number, ack: number): void {
    const urgent = stream.urgentSeen ? seqDiff(seq, stream.urgentSeq) : end - at
    if (urgent >= end - at) {
      stream.nextSeq = seqAdd(seq, end - at)
      this.#consumer.data(flow, direction, at, end, seq, ack)
      return
    }
    stream.urgentSeen = false
    // Behind: a gap has swallowed it.
    if (urgent < 0) {
      this.#pass(flow, direction, stream, at, end, seq, ack)
      return
    }
    if (urgent > 0) this.#pass(flow, direction, stream, at, at + urgent, seq, ack)
    stream.urgentRemoved = true
    stream.urgentPeerSeq = flow.streams[1 - direction].nextSeq
    const rest = urgent + 1
    stream.nextSeq = seqAdd(seq, rest)
    if (at + rest < end) this.#pass(flow, direction, stream, at + rest, end, seqAdd(seq, rest), ack)
  }

  /** Delivers the first held segment without the bytes that have been delivered since, block by block. */
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
        this.#pass(flow, direction, stream, at + skip, at + count, stream.nextSeq, held.ack)
        skip = 0
      } else skip -= count
      left -= count
      block = pool.nextBlock(block)
    }
    time.micros = now
    this.#drop(stream)
  }

  #dropAll(stream: Stream): void {
    while (stream.held !== null) this.#drop(stream)
  }

  /** Frees the first held segment. */
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

/** Whether everything before the FIN was delivered. */
const atFin = (stream: Stream): boolean => stream.finSeen && stream.finSeq === stream.nextSeq

/** Whether the FIN ends what the sender has sent, as far as was captured. */
const finIsLast = (stream: Stream): boolean =>
  stream.finSeen && (stream.held === null || seqDiff(stream.finSeq, stream.heldEnd) <= 0)

/** Remembers a FIN. Of several the nearest counts: a receiver queues a FIN that lies ahead. */
function noteFin(stream: Stream, finSeq: number): void {
  if (stream.ended || seqDiff(stream.nextSeq, finSeq) < 0 || (stream.finSeen && finSeq === stream.finSeq)) return
  let further = finSeq
  if (!stream.finSeen || seqDiff(finSeq, stream.finSeq) > 0) {
    further = stream.finSeq
    stream.finSeq = finSeq
  }
  stream.furtherFinSeen = stream.finSeen
  stream.furtherFinSeq = further
  stream.finSeen = true
}

/** A receiver discards a queued FIN when data covers its place. */
function voidPassedFin(stream: Stream): void {
  while (stream.finSeen && seqDiff(stream.finSeq, stream.nextSeq) > 0) {
    stream.finSeen = stream.furtherFinSeen
    stream.finSeq = stream.furtherFinSeq
    stream.furtherFinSeen = false
  }
}

/** Bytes from `nextSeq` on that the receiver has acknowledged and the sender has sent past. */
function lostBytes(stream: Stream): number {
  if (!stream.ackedKnown || stream.ended) return 0
  const { held } = stream
  let sent = held === null ? stream.reached : held.seq
  if (finIsLast(stream) && (held === null || seqDiff(stream.finSeq, held.seq) > 0)) sent = stream.finSeq
  return Math.min(seqDiff(stream.nextSeq, sent), seqDiff(stream.nextSeq, stream.acked))
}

/**
 * At a flow's end: bytes that were certainly sent, because the receiver acknowledged them or the sender's own numbers show
 * it, but were never captured.
 */
function missingTail(stream: Stream): number {
  if (!stream.captured || !stream.known) return 0
  const { nextSeq } = stream
  let missing: number
  if (finIsLast(stream)) missing = seqDiff(nextSeq, stream.finSeq)
  else {
    missing = Math.max(seqDiff(nextSeq, stream.reached), stream.ackedKnown ? seqDiff(nextSeq, stream.acked) : 0)
    // A single number may be that of a FIN which was not captured.
    if (missing === 1) missing = 0
  }
  return missing > 0 && missing <= WINDOW_BYTES ? missing : 0
}
