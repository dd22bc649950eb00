/** Writes IP addresses as ASCII text, without a MessagePack header. */

const COLON: u8 = 58
const DOT: u8 = 46
const ZERO: u32 = 48

/** Writes a big-endian word in dotted decimal; may overwrite one byte after it. @returns the address after it */
export function writeIpv4(to: usize, word: i32): usize {
  let at = to
  for (let shift = 24; shift >= 0; shift -= 8) {
    const octet = (<u32>word >> shift) & 255
    if (octet >= 100) store<u8>(at++, <u8>(ZERO + octet / 100))
    if (octet >= 10) store<u8>(at++, <u8>(ZERO + ((octet / 10) % 10)))
    store<u8>(at++, <u8>(ZERO + (octet % 10)))
    store<u8>(at++, DOT)
  }
  return at - 1
}

/**
 * Writes four big-endian words in canonical text (RFC 5952 §4; IPv4-mapped in mixed notation, §5): the first longest run of
 * two or more zero groups becomes "::".
 *
 * @returns as writeIpv4
 */
export function writeIpv6(to: usize, word0: i32, word1: i32, word2: i32, word3: i32): usize {
  if (word0 === 0 && word1 === 0 && word2 === 0xffff) return writeMapped(to, word3)
  const high = ((<u64>(<u32>word0)) << 32) | <u64>(<u32>word1)
  const low = ((<u64>(<u32>word2)) << 32) | <u64>(<u32>word3)
  let runStart = -1
  let runLength = 1
  for (let i = 0; i < 8; i++) {
    let length = 0
    while (i + length < 8 && group(high, low, i + length) === 0) length++
    if (length > runLength) {
      runStart = i
      runLength = length
    }
    i += length
  }
  let at = to
  for (let i = 0; i < 8; i++) {
    if (i === runStart) {
      store<u8>(at++, COLON)
      store<u8>(at++, COLON)
      i += runLength - 1
      continue
    }
    const isAfterRun = runStart >= 0 && i === runStart + runLength
    if (i > 0 && !isAfterRun) store<u8>(at++, COLON)
    at = writeHex(at, group(high, low, i))
  }
  return at
}

/** "::ffff:" and an IPv4 address. */
function writeMapped(to: usize, word: i32): usize {
  store<u8>(to, COLON)
  store<u8>(to, COLON, 1)
  const at = writeHex(to + 2, 0xffff)
  store<u8>(at, COLON)
  return writeIpv4(at + 1, word)
}

/** One of the eight groups of 16 bits. */
function group(high: u64, low: u64, index: i32): u32 {
  const half = index < 4 ? high : low
  return <u32>(half >> (48 - <u64>(index & 3) * 16)) & 0xffff
}

function writeHex(to: usize, value: u32): usize {
  let at = to
  for (let shift = value > 0xfff ? 12 : value > 0xff ? 8 : value > 0xf ? 4 : 0; shift >= 0; shift -= 4) {
    const digit = (value >> shift) & 15
    store<u8>(at++, <u8>(digit < 10 ? ZERO + digit : 87 + digit))
  }
  return at
}
