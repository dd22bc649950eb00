/** Sequence number arithmetic modulo 2^32 (RFC 9293 §3.4). Sequence numbers are int32 here; only differences mean anything. */

/** Signed distance from `a` to `b`: positive when b is after a. */
export const seqDiff = (a: number, b: number): number => (b - a) | 0

/** `seq` moved on by `count` bytes. */
export const seqAdd = (seq: number, count: number): number => (seq + count) | 0
