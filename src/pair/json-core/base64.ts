/** Encodes bytes in base64 with padding (RFC 4648 §4). */
import { bytesOf } from './tokens'

const ALPHABET = bytesOf('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/')
const PADDING: u8 = 0x3d

/** @returns the address after it */
export function encodeBase64(to: usize, start: usize, end: usize): usize {
  let at = start
  while (at + 3 <= end) {
    const bits = ((<u32>load<u8>(at)) << 16) | ((<u32>load<u8>(at, 1)) << 8) | <u32>load<u8>(at, 2)
    const digits = digit(bits >> 18) | (digit(bits >> 12) << 8) | (digit(bits >> 6) << 16) | (digit(bits) << 24)
    store<u32>(to, digits)
    at += 3
    to += 4
  }
  if (at === end) return to
  const hasTwo = at + 2 === end
  const bits = ((<u32>load<u8>(at)) << 16) | (hasTwo ? (<u32>load<u8>(at, 1)) << 8 : 0)
  store<u8>(to, <u8>digit(bits >> 18))
  store<u8>(to, <u8>digit(bits >> 12), 1)
  store<u8>(to, hasTwo ? <u8>digit(bits >> 6) : PADDING, 2)
  store<u8>(to, PADDING, 3)
  return to + 4
}

/** The character of the lowest six bits. */
function digit(bits: u32): u32 {
  return load<u8>(ALPHABET + (bits & 63))
}
