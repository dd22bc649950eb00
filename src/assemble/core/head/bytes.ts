/** Byte classes, and searches in steps of 16 bytes. A search may read 63 bytes past `end` but never reports a match there. */

/** Bytes that delimit lines, fields and values. */
export const TAB: u8 = 9
export const LF: u8 = 10
export const CR: u8 = 13
export const SPACE: u8 = 32
export const COMMA: u8 = 44
export const COLON: u8 = 58
export const SEMICOLON: u8 = 59
const DELETE: u8 = 127

/** Mask that makes ASCII letters lower case. */
export const LOWER: u64 = 0x2020202020202020

/** @returns the address of the first CR or LF in [at, end), or `end` */
export function findLineEnd(at: usize, end: usize): usize {
  for (; at < end; at += 16) {
    const bytes = v128.load(at)
    const hits = i8x16.bitmask(v128.or(i8x16.eq(bytes, i8x16.splat(LF)), i8x16.eq(bytes, i8x16.splat(CR))))
    if (hits !== 0) return min(at + ctz(hits), end)
  }
  return end
}

/** @returns the address of the first colon or control byte (below 32) in [at, end), or `end` */
export function findColonOrControl(at: usize, end: usize): usize {
  for (; at < end; at += 16) {
    const bytes = v128.load(at)
    const hits = i8x16.bitmask(v128.or(i8x16.lt_u(bytes, i8x16.splat(SPACE)), i8x16.eq(bytes, i8x16.splat(COLON))))
    if (hits !== 0) return min(at + ctz(hits), end)
  }
  return end
}

/**
 * Bytes to compare with. V8 makes a constant anew for each comparison, with three instructions, and reads one from
 * memory once.
 */
const LAST_CONTROL = memory.data<u8>([SPACE - 1])
const ONE_COLON = memory.data<u8>([COLON])

/** Which of the 16 bytes at `at` are control bytes (below 32), a bit each. */
export function controlsAt(at: usize): u32 {
  return i8x16.bitmask(i8x16.le_u(v128.load(at), v128.load8_splat(LAST_CONTROL)))
}

/** Which of the 16 bytes at `at` are colons. */
export function colonsAt(at: usize): u32 {
  return i8x16.bitmask(i8x16.eq(v128.load(at), v128.load8_splat(ONE_COLON)))
}

/** Whether a byte of [at, end) is white space, a control byte, or no ASCII character. */
export function hasOddByte(at: usize, end: usize): bool {
  for (; at < end; at += 16) {
    const bytes = v128.load(at)
    // Compared as signed numbers, bytes from 128 on are negative.
    const odd = v128.or(i8x16.le_s(bytes, i8x16.splat(SPACE)), i8x16.eq(bytes, i8x16.splat(DELETE)))
    const among = end - at < 16 ? (1 << (<i32>(end - at))) - 1 : -1
    if ((i8x16.bitmask(odd) & among) !== 0) return true
  }
  return false
}

/** White space inside a value that may be folded (RFC 9112 §5.2). */
export function isFold(c: u8): bool {
  return isBlank(c) || c === CR || c === LF
}

/** OWS of RFC 9110 §5.6.3: a space or a tab. */
export function isBlank(c: u8): bool {
  return c === SPACE || c === TAB
}

/** CTL of RFC 5234: below 32, tabs and line ends included, and 127. */
export function isControl(c: u8): bool {
  return c < SPACE || c === DELETE
}

/** An ASCII digit. */
export function isDigit(c: u8): bool {
  return c - 48 < 10
}

/** Whether the byte may be part of a token (RFC 9110 §5.6.2). */
export function isTokenByte(c: u8): bool {
  return c < 128 && (((c < 64 ? TOKEN_LOW : TOKEN_HIGH) >> (c & 63)) & 1) !== 0
}

// One bit per byte value: 0 to 63, and 64 to 127.
const TOKEN_LOW: u64 = 0x03ff6cfa00000000
const TOKEN_HIGH: u64 = 0x57ffffffc7fffffe

/** @returns `end` moved before trailing spaces and tabs */
export function trimBlanks(start: usize, end: usize): usize {
  while (end > start && isBlank(load<u8>(end - 1))) end--
  return end
}
