/** Sequence number arithmetic modulo 2^32 (RFC 9293 §3.4). Sequence numbers are int32; only differences are meaningful. */

/** Signed distance from `a` to `b`: positive when b is after a. */
export const seqDiff = (a: number, b: number): number => (b - a) | 0

/** The sequence number `count` bytes after `seq`. */
export const seqAdd = (seq: number, count: number): number => (seq + count) | 0

/** A sequence number further than this from a stream is not believed to be one of it: the largest window in common use. */
export const WINDOW_BYTES = 4 * 1024 * 1024
