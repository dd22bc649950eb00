/** Where a stream ends, and which of its bytes were sent but not captured, by its FINs and its acknowledgements. */
import { heldOf, RareState, reachedAhead, Stream } from './flow'
import { FLAG_FIN } from './header'
import { rareStateOf } from './rare-state'
import { seqDiff, WINDOW_BYTES } from './seq'

/** Whether everything before the FIN was delivered. */
export function atFin(stream: Stream): bool {
  const rare = stream.rare
  return rare !== null && rare.finSeen && rare.finSeq === stream.nextSeq
}

/** Whether a FIN was captured that is not delivered yet. */
export function finSeen(stream: Stream): bool {
  const rare = stream.rare
  return rare !== null && rare.finSeen
}

/** Whether the FIN ends what the sender has sent, as far as was captured. */
function finIsLast(stream: Stream): bool {
  const rare = stream.rare
  if (rare === null || !rare.finSeen) return false
  return rare.held === 0 || seqDiff(rare.finSeq, rare.heldEnd) <= 0
}

/** Sequence number of the FIN of a stream that has one. */
function finSeqOf(stream: Stream): i32 {
  return changetype<RareState>(stream.rare).finSeq
}

/** Remembers a FIN. Of several the nearest counts: a receiver queues a FIN that lies ahead. */
export function noteFin(stream: Stream, direction: u32, finSeq: i32): void {
  if (stream.ended || seqDiff(stream.nextSeq, finSeq) < 0) return
  const rare = rareStateOf(stream, direction)
  if (rare.finSeen && finSeq === rare.finSeq) return
  let further = finSeq
  const isNearest = !rare.finSeen || seqDiff(finSeq, rare.finSeq) > 0
  if (isNearest) {
    further = rare.finSeq
    rare.finSeq = finSeq
  }
  if (rare.finSeen) {
    rare.furtherFinSeen = true
    rare.furtherFinSeq = further
  }
  rare.finSeen = true
}

/** A receiver discards a queued FIN when data covers its place. */
export function voidPassedFin(stream: Stream): void {
  const rare = stream.rare
  if (rare === null) return
  while (rare.finSeen && seqDiff(rare.finSeq, stream.nextSeq) > 0) {
    rare.finSeen = rare.furtherFinSeen
    rare.finSeq = rare.furtherFinSeq
    rare.furtherFinSeen = false
  }
}

/** The end is delivered: where it lies does not count any more. */
export function forgetEnd(rare: RareState): void {
  rare.reachedSeen = false
  rare.finSeen = false
  rare.furtherFinSeen = false
}

/**
 * Bytes from `nextSeq` on that the receiver has acknowledged and the sender has sent past.
 *
 * @param firstSeq of the first piece held, or else of the furthest segment captured
 */
export function lostBytes(stream: Stream, firstSeq: i32): i32 {
  if (!stream.ackedKnown || stream.ended) return 0
  const isFinFirst = finIsLast(stream) && (heldOf(stream) === 0 || seqDiff(finSeqOf(stream), firstSeq) > 0)
  const sent = isFinFirst ? finSeqOf(stream) : firstSeq
  return min(seqDiff(stream.nextSeq, sent), seqDiff(stream.nextSeq, stream.acked))
}

/**
 * At a flow's end: bytes that were certainly sent, because the receiver acknowledged them or the sender's own numbers show
 * it, but were never captured.
 */
export function missingTail(stream: Stream): i32 {
  if (!stream.captured || !stream.known) return 0
  const nextSeq = stream.nextSeq
  let missing = 0
  if (finIsLast(stream)) missing = seqDiff(nextSeq, finSeqOf(stream))
  else {
    missing = max(reachedAhead(stream), stream.ackedKnown ? seqDiff(nextSeq, stream.acked) : 0)
    // A single number may be that of a FIN which was not captured.
    if (missing === 1) missing = 0
  }
  return missing > 0 && missing <= WINDOW_BYTES ? missing : 0
}

/** Of an opaque flow: how far the stream has come, and whether it has ended. Its bytes are not put in order. */
export function watchEnd(stream: Stream, seq: i32, length: i32, flags: u8): void {
  const end = seq + length
  const ahead = seqDiff(stream.nextSeq, end)
  // Far behind: an earlier segment was a stray one.
  if (!stream.known || ahead > 0 || ahead < -WINDOW_BYTES) stream.nextSeq = end
  stream.known = true
  if ((flags & FLAG_FIN) !== 0 && end === stream.nextSeq) stream.ended = true
}
