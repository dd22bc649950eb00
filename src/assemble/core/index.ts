/**
 * The assembler as one program (docs/architecture.md): records of a frame ring in, records of the pair ring out, one call for
 * a block of the ring. All of its state is in one memory (memory/regions.ts has the picture). The host (../assembler.ts and
 * ../host/) lays that out, provides the blocks, and empties the output.
 *
 *     record ──▶ tcp/tracker ──▶ tcp/reassembler ──▶ connections ──▶ http1/message-parser ──▶ http1/message-start ──▶ http1/outcomes
 *                its flow        order, holes        protocol        segment → messages       messages → pair         rules, encoding
 *                                                                         │                   pairing.ts: in order
 *                                                                    stream-states.ts         proof.ts: after a loss
 */
import { setTime, Time } from './clock'
import * as C from './counters'
import { add, count } from './counts'
import { ENDS_SLOT_BYTES, ENDS_SLOTS } from './encode/ends'
import { outputEnd, rewindOutput } from './encode/pair'
import { CONNECTION_BYTES, EXCHANGE_BYTES } from './http1/connection'
import { forgetContentType } from './http1/head'
import { readRules } from './http1/rules'
import { clearDirty, countOf, firstDirty, INTERFACE_BYTES, Interface, interfaceAt } from './interfaces'
import { usedBytes } from './memory/cells'
import { Region } from './memory/regions'
import { Slab } from './memory/slab'
import {
  END_OFFSET_AT,
  FLOW_HASH_AT,
  FRAME,
  INTERFACE_ID_AT,
  IP_OFFSET_AT,
  LENGTH_AT,
  MARK_AT,
  MICROS_AT,
  NETWORK_AT,
  TAG_AT,
  TCP_OFFSET_AT,
  TICK,
} from './ring-layout'
import { Settings } from './settings'
import { FLOW_BYTES, RARITIES_BYTES, TAIL_BYTES } from './tcp/flow'
import { advance, endAll, endInterface, openLifetime } from './tcp/flow-lifetime'
import { addressWord, isIpv6, portOf } from './tcp/flow-table'
import { segment } from './tcp/tracker'
import { HASH_KEYS } from './tcp/tuple-hash'

export { stepClock } from './clock'
export { content } from './connections'
export * from './flow-access'
export { configure } from './layout'
export { setMarks } from './tcp/payload-marks'
export {
  addressWord,
  clearDirty,
  countOf,
  endAll,
  endInterface,
  firstDirty,
  isIpv6,
  outputEnd,
  portOf,
  rewindOutput,
  usedBytes,
}

/** Sizes that the host needs to lay out the memory. */
export const SIZE_OF_FLOW: i32 = <i32>FLOW_BYTES
export const SIZE_OF_TAIL: i32 = <i32>TAIL_BYTES
export const SIZE_OF_RARITIES: i32 = <i32>RARITIES_BYTES
export const SIZE_OF_CONNECTION: i32 = <i32>CONNECTION_BYTES
export const SIZE_OF_EXCHANGE: i32 = <i32>EXCHANGE_BYTES
export const SIZE_OF_INTERFACE: i32 = <i32>INTERFACE_BYTES
export const SIZE_OF_SLAB: i32 = <i32>offsetof<Slab>()
export const SIZE_OF_ENDS: i32 = <i32>ENDS_SLOTS * <i32>ENDS_SLOT_BYTES
export const SIZE_OF_HASH_KEYS: i32 = <i32>HASH_KEYS * <i32>sizeof<u64>()
/** What is known of one page of the pool. */
export const SIZE_OF_PAGE: i32 = 20

/** Sets the limits. Times are in microseconds. */
export function setLimits(
  messageBytes: i32,
  pairBytes: i32,
  responseTimeoutMicros: f64,
  idleMicros: f64,
  incompleteResponses: bool,
  exchanges: u32,
  selects: bool,
): void {
  Settings.messageBytes = messageBytes
  Settings.pairBytes = pairBytes
  Settings.responseTimeoutMicros = responseTimeoutMicros
  Settings.idleMicros = idleMicros
  Settings.incompleteResponses = incompleteResponses
  Settings.exchanges = exchanges
  Settings.selects = selects
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

/** Replaces the facts about an interface, except its maps. */
export function setInterface(id: i32, domain: i32, hopLimit: i32, pointed: bool): void {
  const entry = interfaceAt(id)
  entry.domain = domain
  entry.hopLimit = hopLimit
  entry.pointed = pointed
}

/** Sets an interface's `capture` map for one vantage, which is valid until the names change. */
export function setMap(id: i32, vantage: u32, at: usize, length: usize, behindProxy: bool): void {
  const entry = changetype<usize>(interfaceAt(id))
  store<i32>(entry + offsetof<Interface>('mapsVersion'), Settings.namesVersion)
  store<usize>(entry + offsetof<Interface>('map0') + vantage * 8, at)
  store<usize>(entry + offsetof<Interface>('mapBytes0') + vantage * 8, length)
  store<bool>(entry + offsetof<Interface>('behindProxy0') + vantage, behindProxy)
}

/** Of an interface that `firstDirty` lists: its id, the next one of the list or 0, and when its last pair was kept. */
export function interfaceId(entry: usize): i32 {
  return <i32>((entry - Region.interfaces) / INTERFACE_BYTES)
}
export function nextDirty(entry: usize): usize {
  return changetype<Interface>(entry).nextDirty
}
export function lastKept(entry: usize): f64 {
  return changetype<Interface>(entry).lastKeptMicros
}

/** Packet time of the segment being processed; the host sets it for bytes that were withheld. */
export function micros(): f64 {
  return Time.micros
}
export function setMicros(micros: f64): void {
  Time.micros = micros
}

/**
 * Measures the whole records in the first `available` bytes at `at`, which were read from a ring, and counts their frames as read.
 *
 * @returns their total length, padding included; 0 when the first record is cut
 */
export function wholeRecords(at: usize, available: usize): usize {
  const end = at + available
  let next = at
  let frames = 0
  while (next + TAG_AT + 4 <= end) {
    const length = load<i32>(next, LENGTH_AT)
    if (length < 0) {
      next -= length
      break
    }
    if (next + length > end) break
    if (load<i32>(next, TAG_AT) === FRAME) frames++
    next += length
  }
  add(C.framesRead, <f64>frames)
  return next - at
}

/**
 * Processes records from `at` on.
 *
 * @returns where it stopped: at `end`, or at a record that the host has to process
 */
export function consume(at: usize, end: usize): usize {
  while (at < end) {
    const size = load<i32>(at, LENGTH_AT)
    if (size < 0) return end
    setTime(load<f64>(at, MICROS_AT))
    const tag = load<i32>(at, TAG_AT)
    if (tag === FRAME) frame(at)
    else if (tag === TICK) advance()
    else return at
    at += size
  }
  return end
}

function frame(at: usize): void {
  count(C.framesConsumed)
  const id = load<i32>(at, INTERFACE_ID_AT)
  segment(
    at + load<u16>(at, IP_OFFSET_AT),
    at + load<u16>(at, TCP_OFFSET_AT),
    at + load<u32>(at, END_OFFSET_AT),
    id,
    interfaceAt(id).domain,
    load<i32>(at, NETWORK_AT),
    load<i32>(at, FLOW_HASH_AT),
    load<i32>(at, MARK_AT),
  )
}
