/**
 * Copies values from MessagePack to JSON. Each function copies one value and returns false if the input holds something else;
 * the output is then invalid and must be discarded.
 *
 * The JSON of each value is the same as JSON.stringify writes.
 */
import { encodeBase64 } from './base64'
import { Input, Output } from './buffers'
import { writeDecimal } from './decimal'
import { quote } from './quote'
import { bytesOf, put, putCharacter } from './tokens'
import { isUtf8 } from './utf8'

const NULL = bytesOf('null')
const TRUE = bytesOf('true')
const FALSE = bytesOf('false')
const QUOTE: u8 = 0x22

const NIL: u8 = 0xc0
const IS_FALSE: u8 = 0xc2
const IS_TRUE: u8 = 0xc3
const BIN8: u8 = 0xc4
const BIN32: u8 = 0xc6
const UINT8: u8 = 0xcc
const UINT16: u8 = 0xcd
const UINT32: u8 = 0xce
const UINT64: u8 = 0xcf
/** msgpackr writes a BigInt so. A negative one reads as a number above 2^53, which is rejected. */
const INT64: u8 = 0xd3
const STR8: u8 = 0xd9
const STR32: u8 = 0xdb
/** 2^53 - 1, Number.MAX_SAFE_INTEGER. */
const MAX_EXACT: u64 = 9_007_199_254_740_991

/** Copies nil. */
export function nil(): bool {
  if (load<u8>(Input.at) !== NIL) return false
  Input.at++
  return put(NULL, 4)
}

/** Copies a boolean. */
export function boolean(): bool {
  const type = load<u8>(Input.at)
  if (type !== IS_FALSE && type !== IS_TRUE) return false
  Input.at++
  return type === IS_TRUE ? put(TRUE, 4) : put(FALSE, 5)
}

/** Copies an integer from 0 to 2^53 - 1 in any unsigned form of MessagePack or as int64. */
export function integer(): bool {
  const at = Input.at
  const type = load<u8>(at)
  let value: u64 = type
  let bytes: usize = 0
  if (type === UINT8) {
    value = load<u8>(at, 1)
    bytes = 1
  } else if (type === UINT16) {
    value = bswap<u16>(load<u16>(at, 1))
    bytes = 2
  } else if (type === UINT32) {
    value = bswap<u32>(load<u32>(at, 1))
    bytes = 4
  } else if (type === UINT64 || type === INT64) {
    value = bswap<u64>(load<u64>(at, 1))
    bytes = 8
  } else if (type >= 0x80) return false
  if (value > MAX_EXACT) return false
  Input.at = at + 1 + bytes
  Output.at = writeDecimal(Output.at, value)
  return true
}

/** @returns the number of items of an array; -1 if the next value is not an array */
export function arrayHeader(): i32 {
  return collectionHeader(0x90, 0xdc)
}

/** @returns the number of entries of a map; -1 if the next value is not a map */
export function mapHeader(): i32 {
  return collectionHeader(0x80, 0xde)
}

function collectionHeader(fixed: u8, sixteen: u8): i32 {
  const at = Input.at
  const type = load<u8>(at)
  if ((type & 0xf0) === fixed) {
    Input.at = at + 1
    return type & 0x0f
  }
  if (type !== sixteen || at + 3 > Input.end) return -1
  Input.at = at + 3
  return bswap<u16>(load<u16>(at, 1))
}

/** Copies a string, which must be valid UTF-8. */
export function text(): bool {
  const header = textHeaderBytes()
  if (header === 0) return false
  const start = Input.at + header
  const length = textLength(header)
  // The header may cross the end of the input.
  if (start > Input.end || length > Input.end - start) return false
  Input.at = start + length
  return !quote(start, start + length) || isUtf8(start, start + length)
}

/**
 * Whether the next value is this string, compared without case. Consumes nothing.
 *
 * @param lower ASCII letters and hyphens in lower case
 */
export function isNext(lower: usize, length: usize): bool {
  const header = textHeaderBytes()
  if (header === 0 || textLength(header) !== length) return false
  const start = Input.at + header
  for (let i: usize = 0; i < length; i++) {
    if ((load<u8>(start + i) | 0x20) !== load<u8>(lower + i)) return false
  }
  return true
}

/** 0 if the next value is not a string. */
function textHeaderBytes(): usize {
  const type = load<u8>(Input.at)
  if ((type & 0xe0) === 0xa0) return 1
  return type >= STR8 && type <= STR32 ? 1 + ((<usize>1) << (type - STR8)) : 0
}

function textLength(headerBytes: usize): usize {
  return headerBytes === 1 ? load<u8>(Input.at) & 0x1f : lengthAt(Input.at + 1, headerBytes - 1)
}

/** A big-endian length of 1, 2 or 4 bytes. */
function lengthAt(at: usize, bytes: usize): usize {
  if (bytes === 1) return load<u8>(at)
  return bytes === 2 ? bswap<u16>(load<u16>(at)) : bswap<u32>(load<u32>(at))
}

/**
 * Copies bytes: as text if they are valid UTF-8, else in base64.
 *
 * @param utf8,base64 what to write after the text or the base64
 */
export function bytes(utf8: usize, utf8Bytes: usize, base64: usize, base64Bytes: usize): bool {
  const type = load<u8>(Input.at)
  if (type < BIN8 || type > BIN32) return false
  const lengthBytes: usize = (<usize>1) << (type - BIN8)
  const start = Input.at + 1 + lengthBytes
  const length = lengthAt(Input.at + 1, lengthBytes)
  if (start > Input.end || length > Input.end - start) return false
  const end = start + length
  Input.at = end
  if (isUtf8(start, end)) {
    quote(start, end)
    return put(utf8, utf8Bytes)
  }
  putCharacter(QUOTE)
  Output.at = encodeBase64(Output.at, start, end)
  putCharacter(QUOTE)
  return put(base64, base64Bytes)
}
