/** Checks UTF-8 (RFC 3629 §4). */

/** Whether the bytes are valid UTF-8: no overlong forms, no surrogates, nothing beyond U+10FFFF. */
export function isUtf8(start: usize, end: usize): bool {
  let at = start
  while (at < end) {
    if (at + 16 <= end) {
      const plain = <usize>ctz(i8x16.bitmask(v128.load(at)) | 0x10000)
      at += plain
      if (plain === 16) continue
    }
    const length = characterBytes(at, end)
    if (length === 0) return false
    at += length
  }
  return true
}

/** Bytes of the character at `at`; 0 if it is not valid. */
function characterBytes(at: usize, end: usize): usize {
  const first = load<u8>(at)
  if (first < 0x80) return 1
  const left = end - at
  if (first < 0xc2 || first > 0xf4) return 0
  if (first < 0xe0) return left >= 2 && isTail(load<u8>(at, 1)) ? 2 : 0
  const second = load<u8>(at, 1)
  if (first < 0xf0) {
    const isThree =
      left >= 3 && second >= lowestSecond(first) && second <= highestSecond(first) && isTail(load<u8>(at, 2))
    return isThree ? 3 : 0
  }
  const isFour =
    left >= 4 &&
    second >= lowestSecond(first) &&
    second <= highestSecond(first) &&
    isTail(load<u8>(at, 2)) &&
    isTail(load<u8>(at, 3))
  return isFour ? 4 : 0
}

function isTail(byte: u8): bool {
  return (byte & 0xc0) === 0x80
}

/** Below it the character is in an overlong form. */
function lowestSecond(first: u8): u8 {
  if (first === 0xe0) return 0xa0
  return first === 0xf0 ? 0x90 : 0x80
}

/** Above it the character is a surrogate, or beyond U+10FFFF. */
function highestSecond(first: u8): u8 {
  if (first === 0xed) return 0x9f
  return first === 0xf4 ? 0x8f : 0xbf
}
