/** Sequence number arithmetic modulo 2^32 (RFC 9293 §3.4). Sequence numbers are i32; only differences are meaningful. */

/** A sequence number further than this from a stream is not believed to be one of it: the largest window in common use. */
export const WINDOW_BYTES: i32 = 4 * 1024 * 1024

/** Signed distance from `a` to `b`: positive when b is after a. */
export function seqDiff(a: i32, b: i32): i32 {
  return b - a
}
