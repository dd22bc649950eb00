/**
 * The assembler as one program (docs/architecture.md): records of a frame ring in, records of the pair ring out, one call for
 * a block of the ring. All of its state is in one memory (memory/regions.ts has the picture). The host (../assembler.ts and
 * ../host/) lays that out, provides the blocks, and empties the output. This file is what the host calls.
 *
 *     records ─▶ tcp/tracker ──▶ tcp/reassembler ──▶ connections ──▶ http1/message-parser ──▶ http1/message-start ──▶ http1/outcomes
 *                its flow        order, holes        protocol        segment → messages       messages → pair         rules, encoding
 *                                                                         │                   pairing.ts: in order
 *                                                                    stream-states.ts         proof.ts: after a loss
 */
import { ENDS_SLOT_BYTES, ENDS_SLOTS } from './encode/ends'
import { CONNECTION_BYTES, DOUBTS_BYTES, EXCHANGE_BYTES, MESSAGE_BYTES, PROGRESS_BYTES } from './http1/connection'
import { forgetContentType } from './http1/head'
import { readRules } from './http1/rules'
import { INTERFACE_BYTES } from './interfaces'
import { AHEAD_BYTES } from './look-ahead'
import { PAGE_RECORD_BYTES } from './memory/cells'
import { LISTS_BYTES } from './memory/list'
import { Slab } from './memory/slab'
import {
  SIZE_OF_AHEAD,
  SIZE_OF_CONNECTION,
  SIZE_OF_DOUBTS,
  SIZE_OF_ENDS,
  SIZE_OF_EXCHANGE,
  SIZE_OF_EXTRAS,
  SIZE_OF_FLOW,
  SIZE_OF_HASH_KEYS,
  SIZE_OF_INTERFACE,
  SIZE_OF_LISTS,
  SIZE_OF_MESSAGE,
  SIZE_OF_PAGE,
  SIZE_OF_PROGRESS,
  SIZE_OF_RARE_STATE,
  SIZE_OF_SLAB,
  SIZE_OF_TAIL,
} from './record-sizes'
import { Settings } from './settings'
import { EXTRAS_BYTES, FLOW_BYTES, RARE_STATE_BYTES, TAIL_BYTES } from './tcp/flow'
import { openLifetime } from './tcp/flow-lifetime'
import { HASH_KEYS } from './tcp/tuple-hash'

export { micros, setMicros, stepClock } from './clock'
export { content } from './connections'
export { outputEnd, rewindOutput } from './encode/pair'
export * from './flow-access'
export { preambleAt, preambleLength, storePreamble } from './flow-preambles'
export {
  clearDirty,
  countOf,
  firstDirty,
  interfaceId,
  lastKept,
  nextDirty,
  setInterface,
  setMap,
} from './interfaces'
export { configure } from './layout'
export { usedBytes } from './memory/cells'
export { consume, wholeRecords } from './records'
export { endAll, endInterface } from './tcp/flow-lifetime'
export { addressWord, isIpv6, portOf } from './tcp/flow-table'
export { setMarks } from './tcp/payload-marks'

// The compiler evaluates these conditions: a size that is not current does not compile.
if (FLOW_BYTES !== SIZE_OF_FLOW) ERROR('SIZE_OF_FLOW is not current')
if (TAIL_BYTES !== SIZE_OF_TAIL) ERROR('SIZE_OF_TAIL is not current')
if (EXTRAS_BYTES !== SIZE_OF_EXTRAS) ERROR('SIZE_OF_EXTRAS is not current')
if (RARE_STATE_BYTES !== SIZE_OF_RARE_STATE) ERROR('SIZE_OF_RARE_STATE is not current')
if (CONNECTION_BYTES !== SIZE_OF_CONNECTION) ERROR('SIZE_OF_CONNECTION is not current')
if (DOUBTS_BYTES !== SIZE_OF_DOUBTS) ERROR('SIZE_OF_DOUBTS is not current')
if (PROGRESS_BYTES !== SIZE_OF_PROGRESS) ERROR('SIZE_OF_PROGRESS is not current')
if (EXCHANGE_BYTES !== SIZE_OF_EXCHANGE) ERROR('SIZE_OF_EXCHANGE is not current')
if (MESSAGE_BYTES !== SIZE_OF_MESSAGE) ERROR('SIZE_OF_MESSAGE is not current')
if (INTERFACE_BYTES !== SIZE_OF_INTERFACE) ERROR('SIZE_OF_INTERFACE is not current')
if (offsetof<Slab>() !== SIZE_OF_SLAB) ERROR('SIZE_OF_SLAB is not current')
if (LISTS_BYTES !== SIZE_OF_LISTS) ERROR('SIZE_OF_LISTS is not current')
if (<usize>ENDS_SLOTS * ENDS_SLOT_BYTES !== SIZE_OF_ENDS) ERROR('SIZE_OF_ENDS is not current')
if (AHEAD_BYTES !== SIZE_OF_AHEAD) ERROR('SIZE_OF_AHEAD is not current')
if (PAGE_RECORD_BYTES !== SIZE_OF_PAGE) ERROR('SIZE_OF_PAGE is not current')
if (<usize>HASH_KEYS * sizeof<u64>() !== SIZE_OF_HASH_KEYS) ERROR('SIZE_OF_HASH_KEYS is not current')

/** Sets the limits, as Settings and `openLifetime` have them. Times are in microseconds. */
export function setLimits(
  messageBytes: i32,
  pairBytes: i32,
  responseTimeoutMicros: f64,
  idleMicros: f64,
  incompleteResponses: bool,
  exchanges: u32,
  messages: u32,
  hasSelection: bool,
  onlyCounts: bool,
): void {
  Settings.messageBytes = messageBytes
  Settings.pairBytes = pairBytes
  Settings.responseTimeoutMicros = responseTimeoutMicros
  Settings.idleMicros = idleMicros
  Settings.incompleteResponses = incompleteResponses
  Settings.exchanges = exchanges
  Settings.messages = messages
  Settings.hasSelection = hasSelection
  Settings.onlyCounts = onlyCounts
  openLifetime(idleMicros)
}

/** Sets the rules. @param requestLengths as Settings has them; @param rules as `readRules` has them */
export function setRules(
  everything: bool,
  requestLengths: u32,
  includesRequests: bool,
  includesHosts: bool,
  includesResponses: bool,
  minLatencyMicros: f64,
  rules: usize,
): void {
  Settings.everything = everything
  Settings.requestLengths = requestLengths
  Settings.includesRequests = includesRequests
  Settings.includesHosts = includesHosts
  Settings.includesResponses = includesResponses
  Settings.minLatencyMicros = minLatencyMicros
  readRules(rules)
  forgetContentType()
}

/** The name of an end may have changed. @param version not 0, and not an earlier one */
export function setNamesVersion(version: i32): void {
  Settings.namesVersion = version
}
