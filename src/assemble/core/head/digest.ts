/** One message's half of a pair id: a 64-bit hash of its head and the sequence number of its first byte. */
import { DIGEST_1, DIGEST_2, NON_ASCII, RESULTS_AT } from './layout'

const PRIME_1: u64 = 0x9e3779b185ebca87
const PRIME_2: u64 = 0xc2b2ae3d27d4eb4f
const HIGH_BITS: u64 = 0x8080808080808080

/**
 * Hashes in four independent lanes, so that multiplications overlap; the remainder is hashed word by word. Also records
 * whether the head has bytes over 127.
 *
 * @param start, end the head
 * @param seq sequence number of its first byte
 */
export function digest(start: usize, end: usize, seq: u32): void {
  let a = <u64>seq ^ PRIME_1
  let b = <u64>seq ^ PRIME_2
  let c: u64 = <u64>(end - start)
  let d = ~PRIME_1
  let seen: u64 = 0
  let at = start
  for (; at + 32 <= end; at += 32) {
    const w0 = load<u64>(at)
    const w1 = load<u64>(at, 8)
    const w2 = load<u64>(at, 16)
    const w3 = load<u64>(at, 24)
    seen |= w0 | w1 | w2 | w3
    a = rotl((a ^ w0) * PRIME_1, 29)
    b = rotl((b ^ w1) * PRIME_2, 29)
    c = rotl((c ^ w2) * PRIME_1, 31)
    d = rotl((d ^ w3) * PRIME_2, 31)
  }
  for (; at < end; at += 8) {
    const rest = <u64>(end - at)
    const word = load<u64>(at) & (rest < 8 ? ((<u64>1) << (rest * 8)) - 1 : -1)
    seen |= word
    const next = rotl((a ^ word) * PRIME_1, 29)
    a = b
    b = c
    c = d
    d = next
  }
  const ab = finish(a + rotl(b, 13))
  const cd = finish(c + rotl(d, 23))
  const both = finish(ab ^ rotl(cd, 32))
  store<u32>(RESULTS_AT + DIGEST_1, <u32>(both >> 32))
  store<u32>(RESULTS_AT + DIGEST_2, <u32>both)
  store<i32>(RESULTS_AT + NON_ASCII, (seen & HIGH_BITS) !== 0 ? 1 : 0)
}

/** Records whether the head [start, end) has bytes over 127, as `digest` does. */
export function noteNonAscii(start: usize, end: usize): void {
  let seen = i8x16.splat(0)
  let at = start
  for (; at + 16 <= end; at += 16) seen = v128.or(seen, v128.load(at))
  let high: i32 = i8x16.bitmask(seen)
  // The last bytes, and some of what follows, of which the bits are masked.
  if (at < end) high |= i8x16.bitmask(v128.load(at)) & ((1 << (<i32>(end - at))) - 1)
  store<i32>(RESULTS_AT + NON_ASCII, high !== 0 ? 1 : 0)
}

/** The 64-bit finalizer of MurmurHash3: every input bit affects every output bit. */
function finish(word: u64): u64 {
  let h = word ^ (word >> 33)
  h *= 0xff51afd7ed558ccd
  h ^= h >> 33
  h *= 0xc4ceb9fe1a85ec53
  return h ^ (h >> 33)
}
