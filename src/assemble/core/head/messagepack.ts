/** Encodes MessagePack strings and arrays directly from wire bytes (MessagePack specification, "Formats"). */
import { copyShort } from '../../../wasm/copy'
import { CR, isBlank, isFold, LF, SPACE } from './bytes'

/** Writes the header of a string of `length` bytes. @returns the address after it */
export function writeStringHeader(to: usize, length: usize): usize {
  if (length < 32) {
    store<u8>(to, 0xa0 | length)
    return to + 1
  }
  if (length < 256) {
    store<u16>(to, 0xd9 | (length << 8))
    return to + 2
  }
  return writeLongHeader(to, 0xda, length)
}

/** Writes the header of an array of `length` elements. @returns the address after it */
export function writeArrayHeader(to: usize, length: usize): usize {
  if (length < 16) {
    store<u8>(to, 0x90 | length)
    return to + 1
  }
  return writeLongHeader(to, 0xdc, length)
}

/** What `writeStringHeader` and a string of `length` bytes take. */
export function stringBytes(length: usize): usize {
  if (length < 256) return length + (length < 32 ? 1 : 2)
  return length + longHeaderBytes(length)
}

/** What `writeArrayHeader` takes. */
export function arrayHeaderBytes(length: usize): usize {
  return length < 16 ? 1 : longHeaderBytes(length)
}

function longHeaderBytes(length: usize): usize {
  return length < 65_536 ? 3 : 5
}

/** Writes a 16-bit length with `type`, or a 32-bit length with the type that follows it. */
function writeLongHeader(to: usize, type: u8, length: usize): usize {
  if (length < 65_536) {
    store<u8>(to, type)
    store<u16>(to, bswap<u16>(<u16>length), 1)
    return to + 3
  }
  store<u8>(to, type + 1)
  store<u32>(to, bswap<u32>(<u32>length), 1)
  return to + 5
}

/** Writes the ASCII bytes [start, end) as a string. @returns the address after it */
export function writeAscii(to: usize, start: usize, end: usize): usize {
  const at = writeStringHeader(to, end - start)
  copyShort(at, start, end - start)
  return at + end - start
}

/**
 * Writes any wire bytes as a valid string: UTF-8 unchanged, anything else as ISO 8859-1 (the encoding of header values
 * before RFC 9110 §5.5), which loses nothing.
 *
 * @returns the address after it
 */
export function writeText(to: usize, start: usize, end: usize): usize {
  let high: usize = 0
  for (let i = start; i < end; i++) high += load<u8>(i) >> 7
  if (high === 0 || isUtf8(start, end)) return writeAscii(to, start, end)
  let at = writeStringHeader(to, end - start + high)
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
 * Like `writeText`, with each line fold replaced by one space (RFC 9112 §5.2). Rewrites the value in place.
 *
 * @returns the address after it
 */
export function writeFolded(to: usize, start: usize, end: usize): usize {
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
  return writeText(to, start, at)
}

/** Whether the bytes are well-formed UTF-8 (RFC 3629 §4): no overlong forms, no surrogates, nothing over U+10FFFF. */
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
