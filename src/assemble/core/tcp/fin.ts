/** Where a stream ends, and which of its bytes were sent but not captured, by its FINs and its acknowledgements. */
import { heldOf, Stream } from './flow'
import { FLAG_FIN } from './header'
import { rareOf } from './rarities'
import { seqDiff, WINDOW_BYTES } from './seq'

/** Whether everything before the FIN was delivered. */
export function atFin(stream: Stream): bool {
  return stream.finSeen && stream.finSeq === stream.nextSeq
}

/** Whether the FIN ends what the sender has sent, as far as was captured. */
function finIsLast(stream: Stream): bool {
  if (!stream.finSeen) return false
  const rare = stream.rare
  return rare === null || rare.held === 0 || seqDiff(stream.finSeq, rare.heldEnd) <= 0
}

/** Remembers a FIN. Of several the nearest counts: a receiver queues a FIN that lies ahead. */
export function noteFin(stream: Stream, direction: u32, finSeq: i32): void {
  if (stream.ended || seqDiff(stream.nextSeq, finSeq) < 0 || (stream.finSeen && finSeq === stream.finSeq)) return
  let further = finSeq
  const isNearest = !stream.finSeen || seqDiff(finSeq, stream.finSeq) > 0
  if (isNearest) {
    further = stream.finSeq
    stream.finSeq = finSeq
  }
  if (stream.finSeen) {
    const rare = rareOf(stream, direction)
    rare.furtherFinSeen = true
    rare.furtherFinSeq = further
  }
  stream.finSeen = true
}

/** A receiver discards a queued FIN when data covers its place. */
export function voidPassedFin(stream: Stream): void {
  while (stream.finSeen && seqDiff(stream.finSeq, stream.nextSeq) > 0) {
    const rare = stream.rare
    stream.finSeen = rare !== null && rare.furtherFinSeen
    if (rare === null) return
    stream.finSeq = rare.furtherFinSeq
    rare.furtherFinSeen = false
  }
}

/**
 * Bytes from `nextSeq` on that the receiver has acknowledged and the sender has sent past.
 *
 * @param firstSeq of the first piece held, or else of the furthest segment captured
 */
export function lostBytes(stream: Stream, firstSeq: i32): i32 {
  if (!stream.ackedKnown || stream.ended) return 0
  const isFinFirst = heldOf(stream) === 0 || seqDiff(stream.finSeq, firstSeq) > 0
  const sent = finIsLast(stream) && isFinFirst ? stream.finSeq : firstSeq
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
  if (finIsLast(stream)) missing = seqDiff(nextSeq, stream.finSeq)
  else {
    missing = max(seqDiff(nextSeq, stream.reached), stream.ackedKnown ? seqDiff(nextSeq, stream.acked) : 0)
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
