/**
 * RSTs that were captured before bytes of their sender, or before bytes of their receiver that they acknowledge: captures are
 * not quite in order. Their connections are closed once these bytes are captured, or after a while.
 */
import { FLAG_ACK } from '../../net/tcp-header.ts'
import type { Direction, Flow, Stream } from './flow.ts'
import { seqDiff, WINDOW_BYTES } from './seq.ts'

/** As long as an acknowledgement of bytes that were not captured waits for them (see Suspicions). */
const PATIENCE_MICROS = 50_000

/** Whether a RST with this acknowledgement number was captured before bytes of `peer`, not only its FIN. */
export function isEarly(peer: Stream, ack: number, flags: number): boolean {
  if ((flags & FLAG_ACK) === 0 || ack === 0 || !peer.known || peer.ended) return false
  const ahead = seqDiff(peer.nextSeq, ack)
  return ahead > 1 && ahead <= WINDOW_BYTES
}

/** Whether a RST with this number was captured before bytes of its own stream, behind which it lies. */
export const isAhead = (stream: Stream, seq: number): boolean =>
  stream.known && !stream.ended && seqDiff(stream.nextSeq, seq) > 0

/** Whether what an early RST waits for was captured. @param stream that it was sent on */
export function isDue(stream: Stream, peer: Stream): boolean {
  if (!stream.resetEarly || isAhead(stream, stream.rare.resetSeq)) return false
  return seqDiff(peer.nextSeq, stream.rare.resetAck) <= 0
}

export class EarlyResets {
  /** By the flow's index, the one that has waited longest first. */
  readonly #waiting = new Map<number, { flow: Flow; direction: Direction; micros: number }>()

  /** The flow's early RST came on the stream of `direction`. */
  add(flow: Flow, direction: Direction): void {
    const { resetMicros: micros } = flow.streams[direction].rare
    this.#waiting.delete(flow.index)
    this.#waiting.set(flow.index, { flow, direction, micros })
  }

  /** Removes one that has waited long enough. @returns its flow, with `resetDirection` set, or null */
  overdue(clock: number): Flow | null {
    // A sweep without any allocates no iterator.
    if (this.#waiting.size === 0) return null
    for (const [index, { flow, direction, micros }] of this.#waiting) {
      if (Math.abs(clock - micros) < PATIENCE_MICROS) return null
      this.#waiting.delete(index)
      const stream = flow.streams[direction]
      // Flow objects are reused, and a sender that continues revokes its RST.
      if (flow.index !== index || !stream.resetSeen || !stream.resetEarly || stream.rare.resetMicros !== micros)
        continue
      flow.resetDirection = direction
      return flow
    }
    return null
  }
}
