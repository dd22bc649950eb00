/** Interprets the fields of a complete head: those that decide where the message ends (RFC 9112 §6), and those for the filter. */
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
  RESULTS_AT,
  RULE_FIELD_COUNT,
  RULE_FIELDS_AT,
} from '../layout'
import { COLON, COMMA, isBlank, isDigit, isFold, LOWER } from './bytes'

/** "content-", "t-length"; "transfer", "-encodin", "encoding"; lower case. */
const CONTENT_: u64 = 0x2d746e65746e6f63
const T_LENGTH: u64 = 0x6874676e656c2d74
const TRANSFER: u64 = 0x726566736e617274
const _ENCODIN: u64 = 0x6e69646f636e652d
const ENCODING: u64 = 0x676e69646f636e65
const CHUNKED: u64 = 0x0064656b6e756863
const CHUNKED_MASK: u64 = 0x00ffffffffffffff
const IDENTITY: u64 = 0x797469746e656469
/** Every integer up to this has an exact float64. */
const MAX_SAFE: f64 = 9007199254740991

/** @param end address after the last field; @param lengths bit n set: list names of n bytes for the filter */
export function interpretFields(end: usize, lengths: u32, isResponse: bool): void {
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
    if (bytes === 14) {
      if (length !== LENGTH_INVALID && isContentLength(name)) {
        length = contentLength(load<usize>(field, 8), load<usize>(field, 12), length)
      }
    } else if (bytes === 17 && isTransferEncoding(name)) {
      // A blank in front of the colon hides the field from most clients. Servers disagree (RFC 9112 §5.1).
      if (load<u8>(name, 17) === COLON) coding = transferCoding(load<usize>(field, 8), load<usize>(field, 12), coding)
      else if (!isResponse) coding = CODING_OTHER
    }
  }
  store<usize>(RESULTS_AT + RULE_FIELD_COUNT, (listed - RULE_FIELDS_AT) / 4)
  store<f64>(RESULTS_AT + CONTENT_LENGTH, length)
  store<i32>(RESULTS_AT + CODING, coding)
  if (coding !== CODING_NONE && length !== LENGTH_ABSENT) noteAnomaly(ANOMALY_LENGTH_IGNORED)
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
 * or close.
 *
 * @param before result of the fields before
 */
function transferCoding(at: usize, end: usize, before: i32): i32 {
  let last = end
  while (last > at && load<u8>(last - 1) !== COMMA) last--
  while (last < end && isFold(load<u8>(last))) last++
  let stop = end
  while (stop > last && isFold(load<u8>(stop - 1))) stop--
  const word = load<u64>(last) | LOWER
  const alone = last === at && before === CODING_NONE
  if (alone && stop - last === 8 && word === IDENTITY) return CODING_NONE
  return stop - last === 7 && (word & CHUNKED_MASK) === CHUNKED ? CODING_CHUNKED : CODING_OTHER
}
