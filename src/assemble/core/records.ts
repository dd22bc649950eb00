/** The records of a frame ring (ring-layout.ts), read block by block: frames and ticks are processed here, the rest by the host. */
import { setTime } from './clock'
import * as C from './counters'
import { add, count } from './counts'
import { interfaceAt } from './interfaces'
import { lookAhead, paysToLookAhead } from './look-ahead'
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
import { advance } from './tcp/flow-lifetime'
import { segment } from './tcp/tracker'

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
  let seen = at
  const looks = paysToLookAhead()
  while (at < end) {
    if (looks && at >= seen) seen = lookAhead(at, end)
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
