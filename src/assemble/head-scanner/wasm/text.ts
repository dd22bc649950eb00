/** MessagePack strings and arrays, laid straight from wire bytes (MessagePack specification, "Formats"). */
import { CR, isBlank, isFold, LF, SPACE } from './bytes'

/** Header of a string of `length` bytes. @returns the address after it */
export function layStringHeader(to: usize, length: usize): usize {
  if (length < 32) {
    store<u8>(to, 0xa0 | length)
    return to + 1
  }
  if (length < 256) {
    store<u16>(to, 0xd9 | (length << 8))
    return to + 2
  }
  return layLongHeader(to, 0xda, length)
}

/** Header of an array of `length` elements. @returns the address after it */
export function layArrayHeader(to: usize, length: usize): usize {
  if (length < 16) {
    store<u8>(to, 0x90 | length)
    return to + 1
  }
  return layLongHeader(to, 0xdc, length)
}

/** A length in 16 bits behind its type, or in 32 bits behind the type after it. */
function layLongHeader(to: usize, type: u8, length: usize): usize {
  if (length < 65_536) {
    store<u8>(to, type)
    store<u16>(to, bswap<u16>(<u16>length), 1)
    return to + 3
  }
  store<u8>(to, type + 1)
  store<u32>(to, bswap<u32>(<u32>length), 1)
  return to + 5
}

/** A string of the bytes [start, end), which are ASCII. @returns the address after it */
export function layAscii(to: usize, start: usize, end: usize): usize {
  const at = layStringHeader(to, end - start)
  copyShort(at, start, end - start)
  return at + end - start
}

/**
 * A string of any wire bytes: valid UTF-8 as it is, else each byte as the character of that code (ISO 8859-1, which
 * header values were before RFC 9110 §5.5), so that nothing is lost and the string is valid.
 *
 * @returns the address after it
 */
export function layText(to: usize, start: usize, end: usize): usize {
  let high: usize = 0
  for (let i = start; i < end; i++) high += load<u8>(i) >> 7
  if (high === 0 || isUtf8(start, end)) return layAscii(to, start, end)
  let at = layStringHeader(to, end - start + high)
  for (let i = start; i < end; i++) {
    const c = load<u8>(i)
    if (c < 128) store<u8>(at++, c)
    else {
      store<u8>(at++, 0xc0 | (c >> 6))
      store<u8>(at++, 0x80 | (c & 63))
    }
  }
  return at
}

/**
 * As `layText`, for a value with line folds: each becomes one space (RFC 9112 §5.2). Rewrites the value in place.
 *
 * @returns the address after it
 */
export function layFolded(to: usize, start: usize, end: usize): usize {
  let at = start
  for (let i = start; i < end; i++) {
    const c = load<u8>(i)
    if (c !== CR && c !== LF) {
      store<u8>(at++, c)
      continue
    }
    while (at > start && isBlank(load<u8>(at - 1))) at--
    while (i + 1 < end && isFold(load<u8>(i + 1))) i++
    store<u8>(at++, SPACE)
  }
  return layText(to, start, at)
}

/** Copies 16 bytes a step, up to 15 too many (16 where `length` is 0); what is written and what is read do not overlap. */
export function copyShort(to: usize, from: usize, length: usize): void {
  const end = from + length
  do {
    v128.store(to, v128.load(from))
    from += 16
    to += 16
  } while (from < end)
}

/** Well-formed UTF-8 (RFC 3629 §4): no overlong forms, no surrogates, nothing over U+10FFFF. */
function isUtf8(start: usize, end: usize): bool {
  let i = start
  while (i < end) {
    const c = load<u8>(i++)
    if (c < 0x80) continue
    const extra: usize = c >= 0xc2 && c <= 0xdf ? 1 : c >= 0xe0 && c <= 0xef ? 2 : c >= 0xf0 && c <= 0xf4 ? 3 : 0
    if (extra === 0 || i + extra > end) return false
    const second = load<u8>(i)
    if (c === 0xe0 && second < 0xa0) return false
    if (c === 0xed && second > 0x9f) return false
    if (c === 0xf0 && second < 0x90) return false
    if (c === 0xf4 && second > 0x8f) return false
    for (const stop = i + extra; i < stop; i++) if ((load<u8>(i) & 0xc0) !== 0x80) return false
  }
  return true
}
