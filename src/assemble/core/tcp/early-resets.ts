/**
 * RSTs that were captured before bytes of their sender, or before bytes of their receiver that they acknowledge: captures are
 * not quite in order. Their connections are closed once these bytes are captured, or after a while.
 *
 *     oldest ──▶ RST ─after─▶ RST ─after─▶ …     at most one of a connection
 */
import { Direction, Flow, flowOf, Rarities, rareOf, Stream, streamOf } from './flow'
import { FLAG_ACK } from './header'
import { seqDiff, WINDOW_BYTES } from './seq'

/** How long a RST waits for these bytes: as long as an acknowledgement waits for the bytes that it covers (suspicions.ts). */
const PATIENCE_MICROS: f64 = 50_000

class Early {
  static oldest: Rarities | null = null
  static newest: Rarities | null = null
}

/** Empties the list: an assembler begins (layout.ts). */
export function openEarlyResets(): void {
  Early.oldest = null
  Early.newest = null
}

/** Whether a RST with this acknowledgement number was captured before bytes of `peer`, not only its FIN. */
export function isEarly(peer: Stream, ack: i32, flags: u8): bool {
  if ((flags & FLAG_ACK) === 0 || ack === 0 || !peer.known || peer.ended) return false
  const ahead = seqDiff(peer.nextSeq, ack)
  return ahead > 1 && ahead <= WINDOW_BYTES
}

/** Whether a RST with this number was captured before bytes of its own stream, behind which it lies. */
export function isAhead(stream: Stream, seq: i32): bool {
  return stream.known && !stream.ended && seqDiff(stream.nextSeq, seq) > 0
}

/** Whether a RST was sent on the stream, and what it waits for was captured. */
export function isDue(stream: Stream, peer: Stream): bool {
  const rare = stream.rare
  if (rare === null || !rare.resetSeen || !rare.resetEarly || isAhead(stream, rare.resetSeq)) return false
  return seqDiff(peer.nextSeq, rare.resetAck) <= 0
}

/** The flow's early RST came on the stream of `direction`. */
export function addEarlyReset(flow: Flow, direction: Direction): void {
  const peer = streamOf(flow, 1 - direction).rare
  if (peer !== null) removeEarlyReset(peer)
  const rare = rareOf(streamOf(flow, direction), direction)
  removeEarlyReset(rare)
  const newest = Early.newest
  rare.earlyListed = true
  rare.earlyBefore = newest
  rare.earlyAfter = null
  if (newest === null) Early.oldest = rare
  else newest.earlyAfter = rare
  Early.newest = rare
}

/** Its sender continues, or the connection is closed. */
export function removeEarlyReset(rare: Rarities): void {
  if (!rare.earlyListed) return
  const before = rare.earlyBefore
  const after = rare.earlyAfter
  if (before === null) Early.oldest = after
  else before.earlyAfter = after
  if (after === null) Early.newest = before
  else after.earlyBefore = before
  rare.earlyListed = false
}

/** Removes one that has waited long enough. @returns its flow, with `resetDirection` set, or null */
export function overdueReset(clock: f64): Flow | null {
  const rare = Early.oldest
  if (rare === null || abs(clock - rare.resetMicros) < PATIENCE_MICROS) return null
  removeEarlyReset(rare)
  const flow = flowOf(rare.stream, rare.direction)
  flow.resetDirection = rare.direction
  return flow
}
