/**
 * The rules of the filter (src/assemble/filter.ts) that need no pattern: lists of texts and a table of statuses, which the host
 * writes. The host is asked where a list has wildcards.
 *
 *     list:  number of texts | address, length | address, length | …
 */

import { equal } from '../../../wasm/equal'
import { hostListsPath, hostListsStatus } from '../host'
import {
  RULE_CONTENT_TYPE,
  RULE_HEADER,
  RULE_INCLUDE,
  RULE_NONE,
  RULE_PATH,
  RULE_STATUS,
  RULE_USER_AGENT,
} from '../reasons'
import { Settings } from '../settings'

const SLASH: u8 = 47
const COLON: u8 = 58
const QUESTION_MARK: u8 = 63
const HASH: u8 = 35
const LOWER: u64 = 0x2020202020202020

/** Addresses of the lists, and of a byte for each status. */
class Rules {
  static userAgents: usize = 0
  static headers: usize = 0
  static paths: usize = 0
  static statuses: usize = 0
  /** There are paths with wildcards. */
  static pathPatterns: bool = false
  /** Pairs of every media type are kept. */
  static everyMediaType: bool = false
}

/** @param at address of the words that the host wrote for them: the four addresses, then the two flags */
export function readRules(at: usize): void {
  Rules.userAgents = load<usize>(at)
  Rules.headers = load<usize>(at, 4)
  Rules.paths = load<usize>(at, 8)
  Rules.statuses = load<usize>(at, 12)
  Rules.pathPatterns = load<i32>(at, 16) !== 0
  Rules.everyMediaType = load<i32>(at, 20) !== 0
}

/** RULE_USER_AGENT or RULE_NONE, for the value [at, end) of a User-Agent field. */
export function userAgentRule(at: usize, end: usize): u8 {
  const last = lastOf(Rules.userAgents)
  for (let entry = Rules.userAgents + 4; entry < last; entry += 8) {
    const length = load<usize>(entry, 4)
    if (length <= end - at && equal(at, load<usize>(entry), length)) return RULE_USER_AGENT
  }
  return RULE_NONE
}

/** RULE_HEADER or RULE_NONE, for the name of a request's field. */
export function headerRule(name: usize, length: usize): u8 {
  const last = lastOf(Rules.headers)
  for (let entry = Rules.headers + 4; entry < last; entry += 8) {
    if (load<usize>(entry, 4) === length && isCaseless(name, load<usize>(entry), length)) return RULE_HEADER
  }
  return RULE_NONE
}

/** RULE_PATH or RULE_NONE, for the request target [at, end) in any of its forms (RFC 9112 §3.2). */
export function targetRule(at: usize, end: usize): u8 {
  const start = pathStart(at, end)
  const length = pathEnd(start, end) - start
  const last = lastOf(Rules.paths)
  for (let entry = Rules.paths + 4; entry < last; entry += 8) {
    if (load<usize>(entry, 4) === length && equal(start, load<usize>(entry), length)) return RULE_PATH
  }
  return Rules.pathPatterns && hostListsPath(at, end) ? RULE_PATH : RULE_NONE
}

/** RULE_STATUS, RULE_CONTENT_TYPE, RULE_INCLUDE or RULE_NONE, once both heads are known. */
export function responseRule(status: i32, contentTypeListed: bool): u8 {
  if (!Settings.everything) {
    if (load<u8>(Rules.statuses + status) !== 0) return RULE_STATUS
    if (!contentTypeListed && !Rules.everyMediaType) return RULE_CONTENT_TYPE
  }
  return Settings.includesResponses && !hostListsStatus(status) ? RULE_INCLUDE : RULE_NONE
}

function lastOf(list: usize): usize {
  return list + 4 + load<usize>(list) * 8
}

/** Start of the path: after the scheme and authority of an absolute-form target, else the target's start. */
function pathStart(at: usize, end: usize): usize {
  if (load<u8>(at) === SLASH) return at
  let i = at
  while (i < end && load<u8>(i) !== COLON && load<u8>(i) !== SLASH) i++
  if (i + 2 >= end || load<u8>(i) !== COLON || load<u8>(i, 1) !== SLASH || load<u8>(i, 2) !== SLASH) return at
  i += 3
  while (i < end && load<u8>(i) !== SLASH && !isPathEnd(load<u8>(i))) i++
  return i
}

/** End of the path that begins at `start`: without query, fragment, and a trailing slash unless that is all of it. */
function pathEnd(start: usize, end: usize): usize {
  let stop = start
  while (stop < end && !isPathEnd(load<u8>(stop))) stop++
  return stop - start > 1 && load<u8>(stop - 1) === SLASH ? stop - 1 : stop
}

function isPathEnd(c: u8): bool {
  return c === QUESTION_MARK || c === HASH
}

/** Whether the bytes are this text, which has letters in lower case alone, ignoring ASCII case. */
function isCaseless(at: usize, text: usize, length: usize): bool {
  let i: usize = 0
  for (; i + 8 <= length; i += 8) if ((load<u64>(at + i) | LOWER) !== (load<u64>(text + i) | LOWER)) return false
  for (; i < length; i++) if ((load<u8>(at + i) | 32) !== (load<u8>(text + i) | 32)) return false
  return true
}
