/** Heads (RFC 9112 §2): the start line, where each field's name and value lie, and what decides the framing. */

import {
  COLON,
  CR,
  colonsAt,
  controlsAt,
  findColonOrControl,
  findLineEnd,
  isBlank,
  isControl,
  LF,
  SPACE,
  trimBlanks,
} from './bytes'
import { interpretFields, isFraming, isHalfFraming, noteAnomaly } from './fields'
import {
  ANOMALIES,
  ANOMALY_FOLDED,
  ANOMALY_MALFORMED_FIELD,
  END,
  FIELD_BYTES,
  FIELD_COUNT,
  FIELDS_AT,
  HEAD_COMPLETE,
  HEAD_INCOMPLETE,
  HEAD_INVALID,
  HEAD_OVERSIZE,
  RESULTS_AT,
  RULE_FIELDS_AT,
  START_LINE_END,
} from './layout'
import { isPlausible, requestLine, statusLine } from './start-line'

/** Address after the last field found. */
let fieldsEnd: usize = FIELDS_AT
/** Arguments of `interpretFields` by these names. */
let misread = false
let endsEarly = false

/**
 * Scans the head that begins at `at`. A line ends in CR LF or LF. Recipients disagree on what a CR without LF means, so a
 * head that has one is invalid (RFC 9112 §2.2).
 *
 * @param lengths as `interpretFields` has them
 * @returns a HEAD_ result
 */
export function scan(at: usize, end: usize, isResponse: bool, lengths: u32): i32 {
  fieldsEnd = FIELDS_AT
  misread = false
  endsEarly = false
  store<i32>(RESULTS_AT + START_LINE_END, 0)
  store<i32>(RESULTS_AT + FIELD_COUNT, 0)
  const stop = findLineEnd(at, end)
  const next = nextLine(stop, end)
  if (next > end) return isPlausible(at, stop, isResponse) ? HEAD_INCOMPLETE : HEAD_INVALID
  store<i32>(RESULTS_AT + ANOMALIES, 0)
  const lineEnd = trimBlanks(at, stop)
  if (!(isResponse ? statusLine(at, lineEnd) : requestLine(at, lineEnd))) return HEAD_INVALID
  store<usize>(RESULTS_AT + START_LINE_END, stop + 1)
  if (next === BARE_CR) return HEAD_INVALID
  const result = fieldLines(next, end, lengths, isResponse)
  store<usize>(RESULTS_AT + FIELD_COUNT, (fieldsEnd - FIELDS_AT) / FIELD_BYTES)
  return result
}

const BARE_CR: usize = 0
const ODD: usize = 0
/** Most lines are no longer. */
const WINDOW_BYTES: usize = 64

/** @param stop a line's CR or LF, or `end`. @returns where the next line begins; more than `end` if that is unknown yet */
function nextLine(stop: usize, end: usize): usize {
  if (stop === end) return end + 1
  if (load<u8>(stop) === LF) return stop + 1
  if (stop + 1 === end) return end + 1
  return load<u8>(stop + 1) === LF ? stop + 2 : BARE_CR
}

function fieldLines(at: usize, end: usize, lengths: u32, isResponse: bool): i32 {
  let line = at
  while (true) {
    const next = plainLine(line, end)
    if (next !== ODD) {
      line = next
      continue
    }
    const first = load<u8>(line)
    // A colon after the available bytes, or in a folded line, does not end a name.
    const colon = isBlank(first) ? line : findColonOrControl(line, end)
    const stop = findLineEnd(colon, end)
    const following = nextLine(stop, end)
    if (following > end) return HEAD_INCOMPLETE
    if (following === BARE_CR) return HEAD_INVALID
    if (stop === line) {
      store<usize>(RESULTS_AT + END, following)
      // A bare LF that ends a head whose start line ends in CR LF is part of a value for some servers.
      const isMixed = load<u8>(stop) === LF && load<u8>(load<u32>(RESULTS_AT + START_LINE_END) - 1) === CR
      interpretFields(fieldsEnd, lengths, isResponse, misread || isMixed, endsEarly)
      return HEAD_COMPLETE
    }
    if (fieldsEnd === RULE_FIELDS_AT) return HEAD_OVERSIZE
    if (
      // Nearly every line: a name, a colon, a space, and a value.
      load<u16>(colon) === <u16>COLON_SPACE &&
      colon > line &&
      load<u8>(colon - 1) > SPACE &&
      load<u8>(colon + 2) > SPACE &&
      load<u8>(stop - 1) > SPACE
    ) {
      field(line, colon, colon + 2, stop)
    } else if (!oddLine(line, colon, stop)) return HEAD_INVALID
    line = following
  }
}

/**
 * Reads a line such as nearly all are: a name, a colon, a space, a value, CR LF. The ends of name and value are looked
 * for in all of WINDOW_BYTES at once, which is faster than loops over so few bytes, and each condition ends the attempt
 * by a branch of its own, which needs fewer instructions than their conjunction (bench/findings.md).
 *
 * @returns where the next line begins; ODD if it is another line
 */
function plainLine(line: usize, end: usize): usize {
  if (load<u8>(line) <= SPACE) return ODD
  const controls =
    <u64>(controlsAt(line) | (controlsAt(line + 16) << 16)) |
    ((<u64>(controlsAt(line + 32) | (controlsAt(line + 48) << 16))) << 32)
  const stop = controls !== 0 ? line + <usize>ctz(controls) : findLineEnd(line + WINDOW_BYTES, end)
  // Without a colon among them, the address behind them: what is there decides.
  const colon = line + <usize>ctz(colonsAt(line) | (colonsAt(line + 16) << 16))
  if (colon >= stop || stop + 1 >= end) return ODD
  // The colon and the line's end, each with the bytes beside it. In front of a colon that begins a line is an LF.
  const middle = load<u32>(colon - 1)
  const last = load<u32>(stop - 1)
  if ((middle & 0x00ffff00) !== COLON_SPACE << 8) return ODD
  if ((last & 0x00ffff00) !== CR_LF << 8) return ODD
  if ((middle & 0xff) <= SPACE || middle >> 24 <= SPACE || (last & 0xff) <= SPACE) return ODD
  if (fieldsEnd === RULE_FIELDS_AT) return ODD
  field(line, colon, colon + 2, stop)
  return stop + 2
}

/** A colon and a space, little-endian. */
const COLON_SPACE: u32 = 0x203a
const CR_LF: u32 = 0x0a0d

function field(name: usize, nameEnd: usize, value: usize, valueEnd: usize): void {
  const at = fieldsEnd
  store<usize>(at, name)
  store<usize>(at, nameEnd, 4)
  store<usize>(at, value, 8)
  store<usize>(at, valueEnd, 12)
  fieldsEnd = at + FIELD_BYTES
}

/**
 * A line of another form than `name: value`: folded, without a colon, or with other white space around name or value.
 *
 * @param from the line's first colon or control byte, or its beginning
 * @returns false if the name has a control byte in it: no recipient agrees with another on what that means
 */
function oddLine(line: usize, from: usize, stop: usize): bool {
  if (isBlank(load<u8>(line))) {
    fold(line, stop)
    return true
  }
  let colon = from
  while (colon < stop && load<u8>(colon) !== COLON) colon++
  if (colon === stop) {
    if (isHalfFraming(line)) misread = true
    endsEarly = true
    malformed(line, stop)
    return true
  }
  const nameEnd = trimBlanks(line, colon)
  if (nameEnd === line || nameEnd !== colon) endsEarly = true
  for (let i = line; i < nameEnd; i++) if (isControl(load<u8>(i))) return false
  let value = colon + 1
  const valueEnd = trimBlanks(value, stop)
  while (value < valueEnd && isBlank(load<u8>(value))) value++
  field(line, nameEnd, value, valueEnd)
  return true
}

/** A line that is no field is a name without a value. */
function malformed(line: usize, stop: usize): void {
  noteAnomaly(ANOMALY_MALFORMED_FIELD)
  const end = trimBlanks(line, stop)
  field(line, end, end, end)
}

/** A line that begins with white space continues the value before it (RFC 9112 §5.2). */
function fold(line: usize, stop: usize): void {
  let text = line
  while (isBlank(load<u8>(text))) text++
  if (isFraming(text)) misread = true
  if (fieldsEnd === FIELDS_AT) {
    noteAnomaly(ANOMALY_MALFORMED_FIELD)
    return
  }
  noteAnomaly(ANOMALY_FOLDED)
  const last = fieldsEnd - FIELD_BYTES
  if (isFraming(load<usize>(last))) misread = true
  const valueEnd = trimBlanks(line, stop)
  if (valueEnd === line) return
  if (load<usize>(last, 8) === load<usize>(last, 12)) {
    store<usize>(last, text, 8)
  }
  store<usize>(last, valueEnd, 12)
}
