/**
 * Interprets the fields of a complete head: those that decide where the message ends (RFC 9112 §6), and those for the
 * filter.
 */

import { COLON, COMMA, CR, hasOddByte, isBlank, isDigit, isFold, isTokenByte, LOWER } from './bytes'
import {
  ANOMALIES,
  ANOMALY_LENGTH_IGNORED,
  CODING,
  CODING_CHUNKED,
  CODING_NONE,
  CODING_OTHER,
  CONTENT_LENGTH,
  FIELD_BYTES,
  FIELDS_AT,
  LENGTH_ABSENT,
  LENGTH_INVALID,
  LONGEST_LENGTH,
  MINOR_VERSION,
  RESULTS_AT,
  RULE_FIELD_COUNT,
  RULE_FIELDS_AT,
  START_LINE_END,
} from './layout'

/** "content-", "t-length"; "transfer", "-encodin", "encoding"; lower case. */
const CONTENT_: u64 = 0x2d746e65746e6f63
const T_LENGTH: u64 = 0x6874676e656c2d74
const TRANSFER: u64 = 0x726566736e617274
const _ENCODIN: u64 = 0x6e69646f636e652d
const ENCODING: u64 = 0x676e69646f636e65
const CHUNKED: u64 = 0x0064656b6e756863
const IDENTITY: u64 = 0x797469746e656469
/** Every integer up to this has an exact float64. */
const MAX_SAFE: f64 = 9007199254740991

/**
 * Where servers disagree on whether a line of a request is a field that decides its end, the request's end is unknown.
 *
 * @param end address after the last field; @param lengths bit n set: list names of n bytes for the filter
 * @param misread a line may be such a field for some servers
 * @param endsEarly a line without name or colon, or with a blank between them, ends the head for some
 */
export function interpretFields(end: usize, lengths: u32, isResponse: bool, misread: bool, endsEarly: bool): void {
  let length: f64 = LENGTH_ABSENT
  let coding = CODING_NONE
  let listed: usize = RULE_FIELDS_AT
  for (let field: usize = FIELDS_AT; field < end; field += FIELD_BYTES) {
    const name = load<usize>(field)
    const bytes = load<usize>(field, 4) - name
    if (((lengths >> <u32>min(bytes, LONGEST_LENGTH)) & 1) !== 0) {
      store<usize>(listed, (field - FIELDS_AT) / 4)
      listed += 4
    }
    if (bytes === 14 || bytes === 15) {
      if (!isContentLength(name)) continue
      if (!isResponse && isDisputed(name, 14)) misread = true
      if (bytes === 14 && length !== LENGTH_INVALID) {
        length = contentLength(load<usize>(field, 8), load<usize>(field, 12), length)
      }
    } else if (bytes === 17 || bytes === 18) {
      if (!isTransferEncoding(name)) continue
      if (!isResponse && isDisputed(name, 17)) misread = true
      // A blank in front of the colon hides the field from most clients (RFC 9112 §5.1).
      if (bytes === 17 && (!isResponse || load<u8>(name, 17) === COLON)) {
        coding = transferCoding(load<usize>(field, 8), load<usize>(field, 12), coding, isResponse)
      }
    }
  }
  if (!isResponse) {
    const framed = coding !== CODING_NONE || length !== LENGTH_ABSENT
    // With both fields, or the coding in HTTP/1.0, servers use one or the other, or refuse (RFC 9112 §6.1).
    const disputed = coding !== CODING_NONE && (length !== LENGTH_ABSENT || isVersion10())
    if (misread || disputed || (framed && (endsEarly || hasOddName(end)))) coding = CODING_OTHER
  }
  store<usize>(RESULTS_AT + RULE_FIELD_COUNT, (listed - RULE_FIELDS_AT) / 4)
  store<f64>(RESULTS_AT + CONTENT_LENGTH, length)
  store<i32>(RESULTS_AT + CODING, coding)
  if (coding !== CODING_NONE && length !== LENGTH_ABSENT) noteAnomaly(ANOMALY_LENGTH_IGNORED)
}

/** Whether the name of a field that decides the message's end begins here; more may follow. */
export function isFraming(at: usize): bool {
  return isContentLength(at) || isTransferEncoding(at)
}

/** Whether the first half of such a name is here, which some servers join with the next line. */
export function isHalfFraming(at: usize): bool {
  const word = load<u64>(at) | LOWER
  return word === CONTENT_ || word === TRANSFER
}

/**
 * Whether only some servers read a field: its name of `length` bytes has something between it and the colon, or the line
 * before it ends in a bare LF though the start line does not.
 */
function isDisputed(name: usize, length: usize): bool {
  const next = load<u8>(name + length)
  if (next !== COLON && !isTokenByte(next)) return true
  return load<u8>(name - 2) !== CR && load<u8>(load<u32>(RESULTS_AT + START_LINE_END) - 1) === CR
}

/**
 * Whether a field's name has a blank, or a byte that is no ASCII character: Python's http.server ends the head in front
 * of it.
 */
function hasOddName(end: usize): bool {
  for (let field: usize = FIELDS_AT; field < end; field += FIELD_BYTES) {
    if (hasOddByte(load<usize>(field), load<usize>(field, 4))) return true
  }
  return false
}

function isVersion10(): bool {
  return load<u8>(RESULTS_AT + MINOR_VERSION) === 48
}

/** Adds an ANOMALY_ bit to those of this head. */
export function noteAnomaly(anomaly: i32): void {
  store<i32>(RESULTS_AT + ANOMALIES, load<i32>(RESULTS_AT + ANOMALIES) | anomaly)
}

function isContentLength(name: usize): bool {
  return (load<u64>(name) | LOWER) === CONTENT_ && (load<u64>(name + 6) | LOWER) === T_LENGTH
}

function isTransferEncoding(name: usize): bool {
  return (
    (load<u64>(name) | LOWER) === TRANSFER &&
    (load<u64>(name + 8) | LOWER) === _ENCODIN &&
    (load<u64>(name + 9) | LOWER) === ENCODING
  )
}

/**
 * A number, or the same number repeated as a list or in several fields (RFC 9112 §6.3, item 5).
 *
 * @param before result of the fields before
 */
function contentLength(at: usize, end: usize, before: f64): f64 {
  let length = before
  while (true) {
    let number: f64 = 0
    const first = at
    for (; at < end && isDigit(load<u8>(at)); at++) number = number * 10 + <f64>(load<u8>(at) - 48)
    if (at === first || number > MAX_SAFE) return LENGTH_INVALID
    if (length !== LENGTH_ABSENT && length !== number) return LENGTH_INVALID
    length = number
    while (at < end && isBlank(load<u8>(at))) at++
    if (at === end) return length
    if (load<u8>(at++) !== COMMA) return LENGTH_INVALID
    while (at < end && isBlank(load<u8>(at))) at++
  }
}

/**
 * Only the last coding decides the framing (RFC 9112 §6.1); several fields form one list. A coding with a parameter is
 * another one than `chunked`. `identity` alone is none: servers that still send it (RFC 2616 §3.6) also send a Content-Length
 * or close. Servers disagree on a request's list that names `chunked` twice, or has an empty element.
 *
 * @param before result of the fields before
 */
function transferCoding(at: usize, end: usize, before: i32, isResponse: bool): i32 {
  let last = end
  while (last > at && load<u8>(last - 1) !== COMMA) last--
  const alone = last === at && before === CODING_NONE
  if (alone && matches(last, end, IDENTITY, 8)) return CODING_NONE
  if (!matches(last, end, CHUNKED, 7)) return CODING_OTHER
  if (isResponse || alone) return CODING_CHUNKED
  if (before === CODING_CHUNKED) return CODING_OTHER
  while (at < last) {
    let stop = at
    while (load<u8>(stop) !== COMMA) stop++
    if (matches(at, stop, 0, 0) || matches(at, stop, CHUNKED, 7)) return CODING_OTHER
    at = stop + 1
  }
  return CODING_CHUNKED
}

/** Whether [at, end), without white space around it, is a word of `length` ≤ 8 lower-case letters, whatever their case. */
function matches(at: usize, end: usize, word: u64, length: u32): bool {
  while (at < end && isFold(load<u8>(at))) at++
  while (end > at && isFold(load<u8>(end - 1))) end--
  if (end - at !== length) return false
  if (length === 0) return true
  const unused = 64 - 8 * <u64>length
  return (load<u64>(at) | LOWER) << unused === word << unused
}
