/** Start lines (RFC 9112 §3 and §4), parsed as leniently as widely used servers and clients do. */

import { isBlank, isDigit, isTokenByte, SPACE } from './bytes'
import {
  FIRST_END,
  FIRST_START,
  MAJOR_VERSION,
  METHOD,
  METHOD_CONNECT,
  METHOD_HEAD,
  METHOD_OTHER,
  MINOR_VERSION,
  RESULTS_AT,
  SECOND_END,
  SECOND_START,
  STATUS,
} from './layout'

const LONGEST_METHOD: usize = 32
/** "HTTP/1.", and "HTTP/2." */
const HTTP_1: u64 = 0x002e312f50545448
const HTTP_2: u64 = 0x002e322f50545448
const ZERO: u8 = 48
const VERSION_MASK: u64 = 0x00ffffffffffffff
const HEAD_WORD: u32 = 0x44414548
const CONN: u32 = 0x4e4e4f43
const NECT: u32 = 0x5443454e

/** Whether a start line may begin with these bytes; its end is not known yet. */
export function isPlausible(at: usize, end: usize, isResponse: bool): bool {
  if (isResponse) {
    const known = min(end - at, 7)
    const mask = ((<u64>1) << (<u64>known * 8)) - 1
    const word = load<u64>(at)
    if (((word ^ HTTP_1) & mask) !== 0 && ((word ^ HTTP_2) & mask) !== 0) return false
    return end - at < 8 || version(at, true)
  }
  for (let i = at; i < end && i <= at + LONGEST_METHOD; i++) {
    const c = load<u8>(i)
    if (c === SPACE) return i > at
    if (!isTokenByte(c)) return false
  }
  return end - at <= LONGEST_METHOD
}

/** method SP request-target SP HTTP-version (RFC 9112 §3) */
export function requestLine(at: usize, end: usize): bool {
  let i = at
  while (i < end && isTokenByte(load<u8>(i))) i++
  const length = i - at
  if (length === 0 || length > LONGEST_METHOD || load<u8>(i) !== SPACE) return false
  if (end - i < 11 || !version(end - 8, false)) return false
  let target = i + 1
  while (load<u8>(target) === SPACE) target++
  let targetEnd = end - 8
  if (!isBlank(load<u8>(targetEnd - 1))) return false
  while (targetEnd > target && isBlank(load<u8>(targetEnd - 1))) targetEnd--
  if (targetEnd === target) return false
  parts(at, i, target, targetEnd)
  let method = METHOD_OTHER
  if (length === 4 && load<u32>(at) === HEAD_WORD) method = METHOD_HEAD
  else if (length === 7 && load<u32>(at) === CONN && load<u32>(at + 3) === NECT) method = METHOD_CONNECT
  store<i32>(RESULTS_AT + METHOD, method)
  store<i32>(RESULTS_AT + STATUS, 0)
  return true
}

/** HTTP-version SP status-code SP [ reason-phrase ] (RFC 9112 §4). Some servers omit the last space. */
export function statusLine(at: usize, end: usize): bool {
  if (end - at < 12 || !version(at, true) || load<u8>(at + 8) !== SPACE) return false
  let i = at + 9
  while (i < end - 3 && load<u8>(i) === SPACE) i++
  const hundreds = load<u8>(i)
  const tens = load<u8>(i + 1)
  const ones = load<u8>(i + 2)
  if (end - i < 3 || !isDigit(hundreds) || !isDigit(tens) || !isDigit(ones)) return false
  const status = (<i32>hundreds - 48) * 100 + (<i32>tens - 48) * 10 + (<i32>ones - 48)
  if (status < 100) return false
  if (i + 3 < end && load<u8>(i + 3) !== SPACE) return false
  parts(i, i + 3, min(i + 4, end), end)
  store<i32>(RESULTS_AT + STATUS, status)
  store<i32>(RESULTS_AT + METHOD, METHOD_OTHER)
  return true
}

/** HTTP/1 with any minor version; of a response HTTP/2.0 too, which most clients read as HTTP/1.1 on such a connection. */
function version(at: usize, isResponse: bool): bool {
  const word = load<u64>(at) & VERSION_MASK
  const minor = load<u8>(at + 7)
  store<u8>(RESULTS_AT + MAJOR_VERSION, load<u8>(at + 5))
  store<u8>(RESULTS_AT + MINOR_VERSION, minor)
  return word === HTTP_1 ? isDigit(minor) : isResponse && word === HTTP_2 && minor === ZERO
}

function parts(firstStart: usize, firstEnd: usize, secondStart: usize, secondEnd: usize): void {
  store<usize>(RESULTS_AT + FIRST_START, firstStart)
  store<usize>(RESULTS_AT + FIRST_END, firstEnd)
  store<usize>(RESULTS_AT + SECOND_START, secondStart)
  store<usize>(RESULTS_AT + SECOND_END, secondEnd)
}
