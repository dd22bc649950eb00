/**
 * RSTs that were captured before bytes of their sender, or before bytes of their receiver that they acknowledge: captures are
 * not quite in order. Their connections are closed once these bytes are captured, or after a while.
 *
 *     oldest ──▶ RST ─newer─▶ RST ─newer─▶ …     at most one of a connection
 */
import { append, EARLY, oldestIn, remove } from '../memory/list'
import { Direction, Flow, flowOf, RareState, Stream, streamOf } from './flow'
import { FLAG_ACK } from './header'
import { rareStateOf } from './rare-state'
import { seqDiff, WINDOW_BYTES } from './seq'

/** How long a RST waits for these bytes: as long as an acknowledgement waits for the bytes that it covers (suspicions.ts). */
const PATIENCE_MICROS: f64 = 50_000

const LINKS: usize = offsetof<RareState>('earlyOlder')

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
  const rare = rareStateOf(streamOf(flow, direction), direction)
  removeEarlyReset(rare)
  rare.earlyListed = true
  append(EARLY, changetype<usize>(rare), LINKS)
}

/** Removes an early RST from the list: its sender continues, or the connection is closed. */
export function removeEarlyReset(rare: RareState): void {
  if (!rare.earlyListed) return
  remove(EARLY, changetype<usize>(rare), LINKS)
  rare.earlyListed = false
}

/** Removes one that has waited long enough. @returns its flow, with `resetDirection` set, or null */
export function overdueReset(clock: f64): Flow | null {
  const rare = changetype<RareState | null>(oldestIn(EARLY))
  if (rare === null || abs(clock - rare.resetMicros) < PATIENCE_MICROS) return null
  removeEarlyReset(rare)
  const flow = flowOf(rare.stream, rare.direction)
  flow.resetDirection = rare.direction
  return flow
}
