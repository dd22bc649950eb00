/**
 * A message's head (RFC 9112): the head scanner finds the parts of the start line, the position of each field's name and
 * value, and the framing; the rules that depend on a head alone are evaluated here. Nothing is copied or allocated; the
 * results are valid until the next scan.
 */

import { copy } from '../../../wasm/copy'
import { equal } from '../../../wasm/equal'
import {
  FIELD_COUNT,
  FIELDS_AT,
  HEAD_COMPLETE,
  HEAD_INCOMPLETE,
  MAJOR_VERSION,
  MINOR_VERSION,
  RESULTS_AT,
  RULE_FIELD_COUNT,
  RULE_FIELDS_AT,
  START_LINE_END,
} from '../head/layout'
import { scan } from '../head/scan'
import { hostContentType, hostListsHost } from '../host'
import { Region } from '../memory/regions'
import { Settings } from '../settings'
import { headerRule, userAgentRule } from './rules'

const LOWER: u64 = 0x2020202020202020
/** "content-", "ent-type"; "user-age", "er-agent"; "host"; "connecti", "nnection"; little-endian. */
const CONTENT_: u64 = 0x2d746e65746e6f63
const ENT_TYPE: u64 = 0x657079742d746e65
const USER_AGE: u64 = 0x6567612d72657375
const ER_AGENT: u64 = 0x746e6567612d7265
const HOST: u32 = 0x74736f68
const CONNECTI: u64 = 0x697463656e6e6f63
const NNECTION: u64 = 0x6e6f697463656e6e
const CONTENT_TYPE_BYTES: usize = 12
const USER_AGENT_BYTES: usize = 10
const HOST_BYTES: usize = 4
const CONNECTION_BYTES: usize = 10
/** Bits of the lengths of names that rules are about. */
export const RESPONSE_LENGTHS: u32 = 1 << 12
/** The longest value that `hostField` returns: a DNS name with a port. */
const LONGEST_HOST: usize = 260
const LONGEST_METHOD_END: usize = 6
const SPACE: u8 = 32
/** The first byte of a status line. */
const H: u8 = 72
const HYPHEN: u8 = 45
const COMMA: u8 = 44
/** The first four bytes of the standard methods (RFC 9110 §9.3, RFC 5789), little-endian: "GET ", "HEAD", "POST", … */
const GET_: u32 = 0x20544547
const HEAD_: u32 = 0x44414548
const POST: u32 = 0x54534f50
const PUT_: u32 = 0x20545550
const DELE: u32 = 0x454c4544
const CONN: u32 = 0x4e4e4f43
const OPTI: u32 = 0x4954504f
const TRAC: u32 = 0x43415254
const PATC: u32 = 0x43544150

/** Results of the rules for the head scanned last. */
export class Head {
  /** A media type of the configured list is among the Content-Type fields. */
  static contentTypeListed: bool = false
  /** A Host field is on the list of `filter.include`, where there is one. */
  static hostListed: bool = false
  /** Number of the first head rule that filters this request, 0 when none does. */
  static rule: u8 = 0
  /** The value of the first Host field; empty where there is none. Set by `findHostField`. */
  static hostAt: usize = 0
  static hostEnd: usize = 0
}

/**
 * Scans the head that begins at `at`.
 *
 * @returns HEAD_COMPLETE with all results; otherwise only `startLineEnd` and `fieldCount` are valid: how far the head was
 *   plausible (startLineEnd 0 while the start line is incomplete)
 */
export function scanHead(at: usize, end: usize, isResponse: bool): i32 {
  const result = scan(at, end, isResponse, isResponse ? RESPONSE_LENGTHS : Settings.requestLengths)
  if (result === HEAD_COMPLETE) judge(isResponse)
  return result
}

/** End of the start line with its line ending: fields begin here. 0 while it is incomplete. */
export function startLineEnd(): usize {
  return load<usize>(RESULTS_AT + START_LINE_END)
}

/**
 * Whether a message provably begins at `at`: by a complete start line and a complete field, unless the segment ends with
 * the start line. Start lines alone also occur inside bodies.
 */
export function beginsMessage(at: usize, end: usize, isResponse: bool): bool {
  const result = scanHead(at, end, isResponse)
  const isBegun = result === HEAD_INCOMPLETE && (load<i32>(RESULTS_AT + FIELD_COUNT) > 0 || startLineEnd() === end)
  return (result === HEAD_COMPLETE || isBegun) && (isResponse || !isMethodEnd(at, end))
}

/** Whether the bytes, at least one, may be the beginning of a message: one that is cut off before anything proves it, or an invalid one. */
export function mayBeginMessage(at: usize, end: usize, isResponse: bool): bool {
  if (isResponse ? load<u8>(at) !== H : !isMethod(at, end)) return false
  return scanHead(at, end, isResponse) === HEAD_INCOMPLETE || startLineEnd() !== 0
}

/** Whether bytes begin with a method, or a part of one, of capital letters and hyphens, as all methods in use are. */
export function isMethod(at: usize, end: usize): bool {
  for (let i = at; i < end; i++) {
    const c = load<u8>(i)
    if (c === SPACE) return true
    if ((c < 65 || c > 90) && c !== HYPHEN) return false
  }
  return true
}

/** Whether the bytes, at least one, may be a request with a standard method whose head is cut before anything proves it. */
export function isCutRequest(at: usize, end: usize): bool {
  if (at === end) return false
  if (scanHead(at, end, false) !== HEAD_INCOMPLETE) return false
  if (end - at >= 4) return isStandardMethod(at)
  const mask = ((<u32>1) << (<u32>(end - at) * 8)) - 1
  const word = load<u32>(at)
  return isStart(word, mask)
}

/** Whether a standard method begins at `at`. */
export function isStandardMethod(at: usize): bool {
  return isStart(load<u32>(at), 0xffffffff)
}

/** Finds the first Host field. @returns whether there is one with a value; `Head` has it */
export function findHostField(): bool {
  const field = findField(HOST_BYTES, FIELDS_AT)
  Head.hostAt = field === 0 ? 0 : load<usize>(field, 8)
  Head.hostEnd = field === 0 ? 0 : min(load<usize>(field, 12), Head.hostAt + LONGEST_HOST)
  return Head.hostAt !== Head.hostEnd
}

/** Whether the sender closes the connection after this message (RFC 9112 §9.3). */
export function closesConnection(): bool {
  let close = false
  let keep = false
  for (
    let field = findField(CONNECTION_BYTES, FIELDS_AT);
    field !== 0;
    field = findField(CONNECTION_BYTES, field + 16)
  ) {
    const end = load<usize>(field, 12)
    let at = load<usize>(field, 8)
    while (at < end) {
      let stop = at
      while (stop < end && !isSeparator(load<u8>(stop))) stop++
      if (stop - at === 5 && isClose(at)) close = true
      if (stop - at === 10 && isKeepAlive(at)) keep = true
      at = stop + 1
    }
  }
  const isVersion10 = load<u8>(RESULTS_AT + MAJOR_VERSION) === 49 && load<u8>(RESULTS_AT + MINOR_VERSION) === 48
  return close || (isVersion10 && !keep)
}

function isStart(word: u32, mask: u32): bool {
  return (
    ((word ^ GET_) & mask) === 0 ||
    ((word ^ POST) & mask) === 0 ||
    ((word ^ PUT_) & mask) === 0 ||
    ((word ^ HEAD_) & mask) === 0 ||
    ((word ^ DELE) & mask) === 0 ||
    ((word ^ CONN) & mask) === 0 ||
    ((word ^ OPTI) & mask) === 0 ||
    ((word ^ TRAC) & mask) === 0 ||
    ((word ^ PATC) & mask) === 0
  )
}

/** Whether the bytes begin with the end of a standard method: `ET /`, where a segment ended with `G`. */
function isMethodEnd(at: usize, end: usize): bool {
  const stop = min(end, at + LONGEST_METHOD_END + 1)
  let space = at
  while (space < stop && load<u8>(space) !== SPACE) space++
  if (space === stop) return false
  const length = <u32>(space - at)
  if (length === 0) return false
  const word = load<u64>(at) & (((<u64>1) << (<u64>length * 8)) - 1)
  switch (length) {
    case 1:
      // T, D, E, S, H
      return word === 0x54 || word === 0x44 || word === 0x45 || word === 0x53 || word === 0x48
    case 2:
      // ET, AD, ST, UT, TE, CT, NS, CE, CH
      return (
        word === 0x5445 ||
        word === 0x4441 ||
        word === 0x5453 ||
        word === 0x5455 ||
        word === 0x4554 ||
        word === 0x5443 ||
        word === 0x534e ||
        word === 0x4543 ||
        word === 0x4843
      )
    case 3:
      // EAD, OST, ETE, ECT, ONS, ACE, TCH
      return (
        word === 0x444145 ||
        word === 0x54534f ||
        word === 0x455445 ||
        word === 0x544345 ||
        word === 0x534e4f ||
        word === 0x454341 ||
        word === 0x484354
      )
    case 4:
      // LETE, NECT, IONS, RACE, ATCH
      return (
        word === 0x4554454c || word === 0x5443454e || word === 0x534e4f49 || word === 0x45434152 || word === 0x48435441
      )
    case 5:
      // ELETE, NNECT, TIONS
      return word === 0x4554454c45 || word === 0x5443454e4e || word === 0x534e4f4954
    default:
      // ONNECT, PTIONS
      return word === 0x5443454e4e4f || word === 0x534e4f495450
  }
}

/** The field of this name from `from` on, or 0. @param bytes length of the name, which distinguishes these names */
function findField(bytes: usize, from: usize): usize {
  const end = <usize>FIELDS_AT + load<usize>(RESULTS_AT + FIELD_COUNT) * 16
  for (let field = from; field < end; field += 16) {
    const name = load<usize>(field)
    if (load<usize>(field, 4) - name !== bytes) continue
    if (bytes === HOST_BYTES ? isHost(name) : isConnection(name)) return field
  }
  return 0
}

function isHost(name: usize): bool {
  return (load<u32>(name) | <u32>LOWER) === HOST
}

function isConnection(name: usize): bool {
  return (load<u64>(name) | LOWER) === CONNECTI && (load<u64>(name + 2) | LOWER) === NNECTION
}

/** White space or a comma between the options of a Connection field. */
function isSeparator(c: u8): bool {
  return c === COMMA || c === SPACE || (c >= 9 && c <= 13)
}

/** "close" */
function isClose(at: usize): bool {
  return (load<u32>(at) | <u32>LOWER) === 0x736f6c63 && (load<u8>(at, 4) | 32) === 101
}

/** "keep-alive" */
function isKeepAlive(at: usize): bool {
  return (load<u64>(at) | LOWER) === 0x696c612d7065656b && (load<u16>(at, 8) | 0x2020) === 0x6576
}

/** Applies the rules to the fields that they may refer to, in their order. */
function judge(isResponse: bool): void {
  Head.contentTypeListed = false
  Head.hostListed = false
  Head.rule = 0
  const end = <usize>RULE_FIELDS_AT + load<usize>(RESULTS_AT + RULE_FIELD_COUNT) * 4
  for (let listed: usize = RULE_FIELDS_AT; listed < end; listed += 4) {
    const field = <usize>FIELDS_AT + load<usize>(listed) * 4
    const name = load<usize>(field)
    const length = load<usize>(field, 4) - name
    const value = load<usize>(field, 8)
    const valueEnd = load<usize>(field, 12)
    if (length === CONTENT_TYPE_BYTES && isContentType(name) && listsContentType(value, valueEnd)) {
      Head.contentTypeListed = true
    }
    if (!isResponse && Head.rule === 0) judgeRequestField(name, length, value, valueEnd)
  }
}

function judgeRequestField(name: usize, length: usize, value: usize, valueEnd: usize): void {
  if (!Settings.everything) {
    if (length === USER_AGENT_BYTES && isUserAgent(name)) Head.rule = userAgentRule(value, valueEnd)
    if (Head.rule === 0) Head.rule = headerRule(name, length)
  }
  if (Settings.includesHosts && length === HOST_BYTES && isHost(name) && hostListsHost(value, valueEnd)) {
    Head.hostListed = true
  }
}

function isContentType(name: usize): bool {
  return (load<u64>(name) | LOWER) === CONTENT_ && (load<u64>(name + 4) | LOWER) === ENT_TYPE
}

function isUserAgent(name: usize): bool {
  return (load<u64>(name) | LOWER) === USER_AGE && (load<u64>(name + 2) | LOWER) === ER_AGENT
}

/** Longest Content-Type whose result is remembered. */
const REMEMBERED_BYTES: usize = 64

/** The last Content-Type and its result: most messages repeat it. */
class Remembered {
  static length: usize = usize.MAX_VALUE
  static listed: bool = false
}

/** The rules have changed. */
export function forgetContentType(): void {
  Remembered.length = usize.MAX_VALUE
}

function listsContentType(at: usize, end: usize): bool {
  const length = end - at
  if (length === Remembered.length && equal(at, Region.contentType, length)) return Remembered.listed
  const listed = hostContentType(at, end)
  if (length <= REMEMBERED_BYTES) {
    copy(Region.contentType, at, length)
    Remembered.length = length
    Remembered.listed = listed
  }
  return listed
}
