/** The TCP header (RFC 9293 §3.1): its flags, and the options that decide whether a receiver accepts a segment. */

/** Bits of the flags, byte 13 of the header. */
export const FLAG_FIN: u8 = 0x01
export const FLAG_SYN: u8 = 0x02
export const FLAG_RST: u8 = 0x04
export const FLAG_ACK: u8 = 0x10
export const FLAG_URG: u8 = 0x20

/** A header without options. */
export const HEADER_BYTES: usize = 20
/**
 * Shortest header that can hold a signature: TCP-AO with the 96-bit codes of RFC 5926 needs 16 bytes, TCP-MD5 needs 18.
 * The header of an ordinary data segment, with timestamps alone, has 32 bytes and so costs no scan.
 */
const SIGNED_HEADER_BYTES: usize = 36

const OPTION_END: u8 = 0
const OPTION_NOP: u8 = 1
/** RFC 2385. */
const OPTION_MD5: u8 = 19
/** RFC 5925. */
const OPTION_AO: u8 = 29

/** Length of the header at `tcp` with its options, by its data offset. */
export function headerBytes(tcp: usize): usize {
  return <usize>(load<u8>(tcp, 12) >> 4) * 4
}

/**
 * Offset of the urgent byte from the segment's first payload byte. The pointer names the byte after it, as every system in
 * use reads it (RFC 6093 §3.1); Linux reads 0 as the first byte.
 */
export function urgentOffset(tcp: usize): i32 {
  return max(0, <i32>bswap<u16>(load<u16>(tcp, 18)) - 1)
}

/** Whether the header of `length` bytes at `tcp` carries a TCP-MD5 or TCP-AO signature. */
export function isSigned(tcp: usize, length: usize): bool {
  return length >= SIGNED_HEADER_BYTES && hasSignature(tcp + HEADER_BYTES, tcp + length)
}

function hasSignature(at: usize, end: usize): bool {
  while (at + 1 < end) {
    const kind = load<u8>(at)
    if (kind === OPTION_END) return false
    if (kind === OPTION_NOP) {
      at++
      continue
    }
    if (kind === OPTION_MD5 || kind === OPTION_AO) return true
    const size = load<u8>(at, 1)
    if (size < 2) return false
    at += size
  }
  return false
}
