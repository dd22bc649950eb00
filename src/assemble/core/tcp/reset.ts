/**
 * What the receiver of a RST does with it (RFC 5961 §3): it resets the connection only where the sequence number is
 * exactly the next one it expects; it challenges a number within its window and ignores any other.
 */
import { heldOf, Stream } from './flow'
import { FLAG_ACK } from './header'
import { seqDiff, WINDOW_BYTES } from './seq'

/** Results of `judgeReset`. */
/** The receiver resets the connection. */
export const RESET_OBEYED: u32 = 0
/** It resets the connection only if it has received bytes that were not captured. */
export const RESET_UNPROVEN: u32 = 1
/** It does not reset the connection. */
export const RESET_IGNORED: u32 = 2

/**
 * @param stream the direction that the RST was sent on; @param peer the other direction
 * @param seq, ack, flags of the RST
 * @returns a RESET_ value
 */
export function judgeReset(stream: Stream, peer: Stream, seq: i32, ack: i32, flags: u8): u32 {
  if (!stream.known) return judgeFirst(stream, peer, seq, ack, flags)
  const ahead = seqDiff(stream.nextSeq, seq)
  // A RST may carry the number of the sender's own FIN: macOS sends it so, and Linux accepts it.
  if (ahead === 0 || (ahead === 1 && stream.ended)) return RESET_OBEYED
  if (ahead < 0) return RESET_IGNORED
  // The receiver has received more than was captured: its acknowledgement shows how much.
  if (stream.ackedKnown && seq === stream.acked) return RESET_OBEYED
  // Linux accepts the number after the last byte received out of order, as after a SACK.
  const rare = stream.rare
  if (rare !== null && heldOf(stream) !== 0 && seq === rare.heldEnd) return RESET_OBEYED
  if (rare !== null && rare.finSeen && seqDiff(rare.finSeq, seq) === 1) return RESET_OBEYED
  return ahead <= WINDOW_BYTES ? RESET_UNPROVEN : RESET_IGNORED
}

/** The RST is the first segment captured of its direction. */
function judgeFirst(stream: Stream, peer: Stream, seq: i32, ack: i32, flags: u8): u32 {
  if (stream.ackedKnown) return seq === stream.acked ? RESET_OBEYED : RESET_UNPROVEN
  if (!peer.synSeen) return RESET_UNPROVEN
  // In response to a SYN, which it must acknowledge; its own number does not matter (RFC 9293 §3.10.7.3).
  const acknowledged = seqDiff(peer.firstSeq, ack)
  const answers = (flags & FLAG_ACK) !== 0 && acknowledged >= 0 && seqDiff(ack, peer.nextSeq) >= 0
  return answers ? RESET_OBEYED : RESET_IGNORED
}
