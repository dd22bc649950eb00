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
import { CONNECTION_BYTES, EXCHANGE_BYTES, PROGRESS_BYTES } from './http1/connection'
import { forgetContentType } from './http1/head'
import { readRules } from './http1/rules'
import { INTERFACE_BYTES } from './interfaces'
import { PAGE_RECORD_BYTES } from './memory/cells'
import { LISTS_BYTES } from './memory/list'
import { Slab } from './memory/slab'
import { Settings } from './settings'
import { FLOW_BYTES, RARITIES_BYTES, TAIL_BYTES } from './tcp/flow'
import { openLifetime } from './tcp/flow-lifetime'
import { HASH_KEYS } from './tcp/tuple-hash'

export { micros, setMicros, stepClock } from './clock'
export { content } from './connections'
export { outputEnd, rewindOutput } from './encode/pair'
export * from './flow-access'
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

/** Sizes of records and tables that the host reserves, in bytes. */
export const SIZE_OF_FLOW: i32 = <i32>FLOW_BYTES
export const SIZE_OF_TAIL: i32 = <i32>TAIL_BYTES
export const SIZE_OF_RARITIES: i32 = <i32>RARITIES_BYTES
export const SIZE_OF_CONNECTION: i32 = <i32>CONNECTION_BYTES
export const SIZE_OF_PROGRESS: i32 = <i32>PROGRESS_BYTES
export const SIZE_OF_EXCHANGE: i32 = <i32>EXCHANGE_BYTES
export const SIZE_OF_INTERFACE: i32 = <i32>INTERFACE_BYTES
export const SIZE_OF_SLAB: i32 = <i32>offsetof<Slab>()
export const SIZE_OF_LISTS: i32 = <i32>LISTS_BYTES
export const SIZE_OF_ENDS: i32 = <i32>ENDS_SLOTS * <i32>ENDS_SLOT_BYTES
export const SIZE_OF_HASH_KEYS: i32 = <i32>HASH_KEYS * <i32>sizeof<u64>()
export const SIZE_OF_PAGE: i32 = <i32>PAGE_RECORD_BYTES

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
): void {
  Settings.messageBytes = messageBytes
  Settings.pairBytes = pairBytes
  Settings.responseTimeoutMicros = responseTimeoutMicros
  Settings.idleMicros = idleMicros
  Settings.incompleteResponses = incompleteResponses
  Settings.exchanges = exchanges
  Settings.messages = messages
  Settings.hasSelection = hasSelection
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
