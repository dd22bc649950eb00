/** Writes JSON strings (RFC 8259 §7). */
import { Output } from './buffers'

const QUOTE: u8 = 0x22
const BACKSLASH: u8 = 0x5c
const DIGIT_ZERO: u8 = 48
const LETTER_U: u8 = 117

/**
 * Writes the bytes as a JSON string.
 *
 * @returns whether there are bytes that are not ASCII
 */
export function quote(start: usize, end: usize): bool {
  let at = start
  let to = Output.at
  let notAscii: i32 = 0
  store<u8>(to++, QUOTE)
  while (at < end) {
    const block = v128.load(at)
    v128.store(to, block)
    const plain: usize = <usize>ctz(specials(block) | 0x10000)
    const left = end - at
    const copied = plain < left ? plain : left
    notAscii |= i8x16.bitmask(block) & ((1 << (<i32>copied)) - 1)
    at += copied
    to += copied
    if (plain < 16 && at < end) to = writeEscape(to, load<u8>(at++))
  }
  store<u8>(to, QUOTE)
  Output.at = to + 1
  return notAscii !== 0
}

/** Which of 16 bytes cannot stand for themselves: controls, quotation marks and backslashes. */
function specials(block: v128): i32 {
  const quotes = i8x16.eq(block, i8x16.splat(QUOTE))
  const backslashes = i8x16.eq(block, i8x16.splat(BACKSLASH))
  const controls = i8x16.lt_u(block, i8x16.splat(0x20))
  return i8x16.bitmask(v128.or(v128.or(quotes, backslashes), controls))
}

function writeEscape(to: usize, byte: u8): usize {
  const letter = letterOf(byte)
  store<u8>(to, BACKSLASH)
  store<u8>(to, letter, 1)
  if (letter !== LETTER_U) return to + 2
  store<u8>(to, DIGIT_ZERO, 2)
  store<u8>(to, DIGIT_ZERO, 3)
  store<u8>(to, DIGIT_ZERO + (byte >> 4), 4)
  const low = byte & 15
  store<u8>(to, low < 10 ? DIGIT_ZERO + low : 87 + low, 5)
  return to + 6
}

/** What follows the backslash; `u` for \u00XX. */
function letterOf(byte: u8): u8 {
  switch (byte) {
    case QUOTE:
    case BACKSLASH:
      return byte
    case 0x08:
      return 98 // b
    case 0x09:
      return 116 // t
    case 0x0a:
      return 110 // n
    case 0x0c:
      return 102 // f
    case 0x0d:
      return 114 // r
    default:
      return LETTER_U
  }
}
