/**
 * Streams of which bytes seem to be lost: their receiver has acknowledged them, and they were not captured. Captures of
 * several queues or interfaces show an acknowledgement before the data that it covers, so a loss is believed only after
 * a while. Streams in the order in which that began.
 *
 *     quiet ──acknowledged past a hole──▶ suspected ──4 segments of the connection and 1 ms, or 50 ms──▶ lost: a gap
 *       ▲                                     │
 *       └───────the bytes are captured────────┘
 */
import type { Flow, Stream } from './flow.ts'
import { seqDiff } from './seq.ts'

const PATIENCE_SEGMENTS = 4
const PATIENCE_MICROS = 1000
/** Belief without further segments of the connection. */
const LONG_PATIENCE_MICROS = 50_000

export class Suspicions {
  oldest: Stream | null = null
  #newest: Stream | null = null

  /**
   * Bytes of the stream seem to be lost.
   *
   * @param clock packet time now
   * @returns whether they are believed to be lost
   */
  isBelieved(flow: Flow, stream: Stream, clock: number): boolean {
    const since = clock - stream.rare.suspectedMicros
    if (!stream.suspected || since < 0) this.#suspect(flow, stream, clock)
    else if (since >= LONG_PATIENCE_MICROS) return true
    else if (since >= PATIENCE_MICROS && flow.segments - stream.rare.suspectedSegments >= PATIENCE_SEGMENTS) return true
    return false
  }

  /** How many of the `lost` bytes at the stream's place were acknowledged when the suspicion began. */
  covered(stream: Stream, lost: number): number {
    return Math.min(lost, Math.max(0, seqDiff(stream.nextSeq, stream.rare.suspectedAck)))
  }

  /** The oldest suspicion that has lasted long enough to be believed without further segments, or null. */
  overdue(clock: number): Stream | null {
    const { oldest } = this
    return oldest !== null && Math.abs(clock - oldest.rare.suspectedMicros) >= LONG_PATIENCE_MICROS ? oldest : null
  }

  /** Nothing of the stream seems to be lost any more. */
  clear(stream: Stream): void {
    if (!stream.suspected) return
    stream.suspected = false
    const { suspectedBefore: before, suspectedAfter: after } = stream.rare
    if (before === null) this.oldest = after
    else before.rare.suspectedAfter = after
    if (after === null) this.#newest = before
    else after.rare.suspectedBefore = before
    stream.rare.suspectedBefore = null
    stream.rare.suspectedAfter = null
  }

  #suspect(flow: Flow, stream: Stream, clock: number): void {
    this.clear(stream)
    stream.suspected = true
    stream.rare.suspectedMicros = clock
    stream.rare.suspectedSegments = flow.segments
    stream.rare.suspectedAck = stream.acked
    const newest = this.#newest
    stream.rare.suspectedBefore = newest
    if (newest === null) this.oldest = stream
    else newest.rare.suspectedAfter = stream
    this.#newest = stream
  }
}
