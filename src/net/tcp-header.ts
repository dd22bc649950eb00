/** The TCP header (RFC 9293 §3.1): its flags, and the options that decide whether a receiver accepts a segment. */

/** Offset of the flags byte. */
export const FLAGS_AT = 13
export const FLAG_FIN = 0x01
export const FLAG_SYN = 0x02
export const FLAG_RST = 0x04
export const FLAG_ACK = 0x10
export const FLAG_URG = 0x20

/** A header without options. */
export const HEADER_BYTES = 20
/**
 * Shortest header that can hold a signature: TCP-AO with the 96-bit codes of RFC 5926 needs 16 bytes, TCP-MD5 needs 18.
 * The header of an ordinary data segment, with timestamps alone, has 32 bytes and so costs no scan.
 */
const SIGNED_HEADER_BYTES = 36

const OPTION_END = 0
const OPTION_NOP = 1
/** RFC 2385. */
const OPTION_MD5 = 19
/** RFC 5925. */
const OPTION_AO = 29

/** Length of the header at `tcp` with its options, by its data offset. */
export const headerBytes = (view: DataView, tcp: number): number => (view.getUint8(tcp + 12) >>> 4) * 4

/**
 * Offset of the urgent byte from the segment's first payload byte. The pointer names the byte after it, as every system in
 * use reads it (RFC 6093 §3.1); Linux reads 0 as the first byte.
 */
export const urgentOffset = (view: DataView, tcp: number): number => Math.max(0, view.getUint16(tcp + 18) - 1)

/** Whether the header of `length` bytes at `tcp` carries a TCP-MD5 or TCP-AO signature. */
export function isSigned(view: DataView, tcp: number, length: number): boolean {
  if (length < SIGNED_HEADER_BYTES) return false
  const end = tcp + length
  for (let at = tcp + HEADER_BYTES; at + 1 < end; ) {
    const kind = view.getUint8(at)
    if (kind === OPTION_END) return false
    if (kind === OPTION_NOP) {
      at++
      continue
    }
    if (kind === OPTION_MD5 || kind === OPTION_AO) return true
    const size = view.getUint8(at + 1)
    if (size < 2) return false
    at += size
  }
  return false
}
