/** Heads (RFC 9112 §2): the start line, where each field's name and value lie, and what decides the framing. */
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
} from '../layout'
import { COLON, CR, findColonOrLf, findLf, isBlank, isLineSpace, SPACE, trimEnd } from './bytes'
import { interpretFields, noteAnomaly } from './fields'
import { isPlausible, requestLine, statusLine } from './start-line'

/** Address after the last field found. */
let fieldsEnd: usize = FIELDS_AT

/** Scans the head that begins at `at`. @param lengths as `interpretFields` has them. @returns a HEAD_ result */
export function scan(at: usize, end: usize, isResponse: bool, lengths: u32): i32 {
  fieldsEnd = FIELDS_AT
  store<i32>(RESULTS_AT + START_LINE_END, 0)
  store<i32>(RESULTS_AT + FIELD_COUNT, 0)
  const eol = findLf(at, end)
  if (eol === end) return isPlausible(at, end, isResponse) ? HEAD_INCOMPLETE : HEAD_INVALID
  store<i32>(RESULTS_AT + ANOMALIES, 0)
  const lineEnd = trimEnd(at, eol)
  if (!(isResponse ? statusLine(at, lineEnd) : requestLine(at, lineEnd))) return HEAD_INVALID
  store<usize>(RESULTS_AT + START_LINE_END, eol + 1)
  const result = fieldLines(eol + 1, end, lengths)
  store<usize>(RESULTS_AT + FIELD_COUNT, (fieldsEnd - FIELDS_AT) / FIELD_BYTES)
  return result
}

function fieldLines(line: usize, end: usize, lengths: u32): i32 {
  while (true) {
    const nameEnd = findColonOrLf(line, end)
    if (nameEnd === end) return HEAD_INCOMPLETE
    const hasColon = load<u8>(nameEnd) === COLON
    const eol = hasColon ? findLf(nameEnd, end) : nameEnd
    if (eol === end) return HEAD_INCOMPLETE
    const first = load<u8>(line)
    if (eol === line || (first === CR && eol === line + 1)) {
      store<usize>(RESULTS_AT + END, eol + 1)
      interpretFields(fieldsEnd, lengths)
      return HEAD_COMPLETE
    }
    if (fieldsEnd === RULE_FIELDS_AT) return HEAD_OVERSIZE
    if (isBlank(first)) fold(line, eol)
    else if (!hasColon) malformed(line, eol)
    else if (
      // Nearly every line: a name, a colon, a space, a value, CR.
      nameEnd > line &&
      load<u8>(nameEnd - 1) > SPACE &&
      load<u8>(nameEnd + 1) === SPACE &&
      load<u8>(nameEnd + 2) > SPACE &&
      load<u8>(eol - 1) === CR &&
      load<u8>(eol - 2) > SPACE
    ) {
      field(line, nameEnd, nameEnd + 2, eol - 1)
    } else spaced(line, nameEnd, eol)
    line = eol + 1
  }
}

function field(name: usize, nameEnd: usize, value: usize, valueEnd: usize): void {
  const at = fieldsEnd
  store<usize>(at, name)
  store<usize>(at, nameEnd, 4)
  store<usize>(at, value, 8)
  store<usize>(at, valueEnd, 12)
  fieldsEnd = at + FIELD_BYTES
}

/** field-name ":" OWS field-value OWS (RFC 9112 §5), with whatever space is met around name and value */
function spaced(line: usize, colon: usize, eol: usize): void {
  let nameEnd = colon
  let value = colon + 1
  const valueEnd = trimEnd(value, eol)
  while (nameEnd > line && load<u8>(nameEnd - 1) <= SPACE) nameEnd--
  while (value < valueEnd && isLineSpace(load<u8>(value))) value++
  field(line, nameEnd, value, valueEnd)
}

/** A line that is no field is a name without a value. */
function malformed(line: usize, eol: usize): void {
  noteAnomaly(ANOMALY_MALFORMED_FIELD)
  const end = trimEnd(line, eol)
  field(line, end, end, end)
}

/** A line that begins with white space continues the value before it (RFC 9112 §5.2). */
function fold(line: usize, eol: usize): void {
  if (fieldsEnd === FIELDS_AT) {
    noteAnomaly(ANOMALY_MALFORMED_FIELD)
    return
  }
  noteAnomaly(ANOMALY_FOLDED)
  const valueEnd = trimEnd(line, eol)
  if (valueEnd === line) return
  const last = fieldsEnd - FIELD_BYTES
  if (load<usize>(last, 8) === load<usize>(last, 12)) {
    let value = line
    while (isLineSpace(load<u8>(value))) value++
    store<usize>(last, value, 8)
  }
  store<usize>(last, valueEnd, 12)
}
