/**
 * The message's half of a pair's id: 64 bits of its head's bytes and its first sequence number. What changes between two
 * places that see the same exchange (addresses, ports, times) does not enter.
 */
export interface HeadDigest {
  word1: number
  word2: number
  /** The head has bytes over 127; found on the way. */
  nonAscii: boolean
}

/** @param start, end the head in the arena; @param seq sequence number of its first byte */
export function digestHead(view: DataView, start: number, end: number, seq: number, digest: HeadDigest): void {
  let a = seq ^ 0x2545f491
  let b = seq ^ 0x5bd1e995
  let seen = 0
  let at = start
  for (; at + 8 <= end; at += 8) {
    const even = view.getInt32(at, true)
    const odd = view.getInt32(at + 4, true)
    seen |= even | odd
    a = Math.imul(a ^ even, 0x85ebca6b)
    a ^= a >>> 13
    b = Math.imul(((b << 13) | (b >>> 19)) + odd, 0x9e3779b1)
  }
  for (; at < end; at += 4) {
    const rest = end - at
    const word = view.getInt32(at, true) & (rest < 4 ? (1 << (rest * 8)) - 1 : -1)
    seen |= word
    a = Math.imul(a ^ word, 0x85ebca6b)
    a ^= a >>> 13
  }
  digest.word1 = finish(a ^ (b >>> 9) ^ (end - start))
  digest.word2 = finish(b + ((a << 7) | (a >>> 25)))
  digest.nonAscii = (seen & 0x80808080) !== 0
}

/** Lets every input bit reach every output bit (the finaliser of MurmurHash3). */
function finish(word: number): number {
  let h = word ^ (word >>> 16)
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return h ^ (h >>> 16)
}
