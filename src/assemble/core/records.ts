/** The records of frames (ring-layout.ts), read block by block: frames and ticks are processed here, the rest by the host. */

import {
  END_OFFSET_AT,
  FLOW_HASH_AT,
  INTERFACE_ID_AT,
  ipOf,
  isFrame,
  LENGTH_AT,
  MARK_AT,
  MICROS_AT,
  NETWORK_AT,
  PLACED,
  PLACED_END_AT,
  PLACED_NETWORK_AT,
  TAG_AT,
  TICK,
  tcpOf,
} from '../../wasm/ring-layout'
import { setTime } from './clock'
import * as C from './counters'
import { add, count } from './counts'
import { interfaceAt } from './interfaces'
import { lookAhead, paysToLookAhead } from './look-ahead'
import { advance } from './tcp/flow-lifetime'
import { takeSecrets } from './tcp/flow-table'
import { segment } from './tcp/tracker'

/**
 * Measures the whole records in the first `available` bytes at `at`, and counts their frames as read.
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
    if (isFrame(load<i32>(next, TAG_AT))) frames++
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
  let seen = at
  const looks = paysToLookAhead()
  while (at < end) {
    if (looks && at >= seen) seen = lookAhead(at, end)
    const size = load<i32>(at, LENGTH_AT)
    if (size < 0) return end
    setTime(load<f64>(at, MICROS_AT))
    const tag = load<i32>(at, TAG_AT)
    if (isFrame(tag)) frame(at, tag === PLACED)
    else if (tag === TICK) advance()
    else return at
    at += size
  }
  return end
}

/** `segment` has only this one call, for both kinds of records, so that it is inlined (bench/findings.md). */
function frame(at: usize, isPlaced: bool): void {
  count(C.framesConsumed)
  const id = load<i32>(at, INTERFACE_ID_AT)
  takeSecrets(isPlaced)
  segment(
    ipOf(at, isPlaced),
    tcpOf(at, isPlaced),
    isPlaced ? load<usize>(at, PLACED_END_AT) : at + load<u32>(at, END_OFFSET_AT),
    id,
    interfaceAt(id).domain,
    isPlaced ? load<i32>(at, PLACED_NETWORK_AT) : load<i32>(at, NETWORK_AT),
    load<i32>(at, FLOW_HASH_AT),
    isPlaced ? 0 : load<i32>(at, MARK_AT),
  )
}
