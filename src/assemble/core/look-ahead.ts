/**
 * Reads the records that the next frames will need before any of these frames is processed. With many connections each frame
 * misses the processor's caches for several records, one after the other, because one has the address of the next. Here the
 * misses of several frames overlap. What is read is not used: only `find` decides which flow a segment belongs to.
 *
 *     frame ─▶ bucket ─▶ flow ─▶ connection, and neighbours in the list that the flow leaves
 *     frame ─▶ bucket ─▶ flow ─▶ connection, …
 *     …        all at once, from left to right
 */

import { INTERFACE_ID_AT, ipOf, isFrame, LENGTH_AT, PLACED, TAG_AT, tcpOf } from '../../wasm/ring-layout'
import { CONNECTION_BYTES } from './http1/connection'
import { interfaceAt } from './interfaces'
import { Region } from './memory/regions'
import { FLOW_BYTES, Flow } from './tcp/flow'
import { firstAlike, movesWhenTouched, openCount } from './tcp/flow-table'

/** Frames that are looked at together (bench/findings.md). */
const FRAMES: usize = 16
/** Records of so many connections fit into the caches. */
const FEW_FLOWS: u32 = 4096
const CACHE_LINE: usize = 64

/** Whether so many connections are open that their records are not in the caches. Those that are closed get few frames. */
export function paysToLookAhead(): bool {
  return openCount() > FEW_FLOWS
}

/** Reads ahead for the frames among the next whole records. @returns the address after those records */
export function lookAhead(at: usize, end: usize): usize {
  const first = Region.ahead
  let last = first
  let next = at
  while (next < end && last < first + FRAMES * 4) {
    const size = load<i32>(next, LENGTH_AT)
    if (size < 0) {
      next = end
      break
    }
    const tag = load<i32>(next, TAG_AT)
    if (isFrame(tag)) {
      const isPlaced = tag === PLACED
      const domain = interfaceAt(load<i32>(next, INTERFACE_ID_AT)).domain
      store<usize>(last, firstAlike(ipOf(next, isPlaced), tcpOf(next, isPlaced), domain))
      last += 4
    }
    next += size
  }
  readFlows(first, last)
  return next
}

/** @param first, last addresses of flows, or 0 */
function readFlows(first: usize, last: usize): void {
  let read: usize = 0
  for (let i = first; i < last; i += 4) {
    const flow = load<usize>(i)
    if (flow === 0) continue
    for (let line: usize = 0; line < FLOW_BYTES; line += CACHE_LINE) read ^= load<usize>(flow + line)
    read ^= load<usize>(flow + FLOW_BYTES - 4)
  }
  for (let i = first; i < last; i += 4) {
    const flow = changetype<Flow | null>(load<usize>(i))
    if (flow === null) continue
    const http = flow.http
    if (http !== 0) read ^= load<usize>(http) ^ load<usize>(http + CONNECTION_BYTES - 4)
    if (movesWhenTouched(flow)) read ^= linksOf(flow.older) ^ linksOf(flow.newer)
  }
  // So that the compiler leaves no read out.
  store<usize>(first, read)
}

/** Reads the links of a neighbour. @param neighbour may be null */
function linksOf(neighbour: Flow | null): usize {
  return neighbour === null ? 0 : changetype<usize>(neighbour.older) ^ changetype<usize>(neighbour.newer)
}
