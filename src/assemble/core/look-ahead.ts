/**
 * Reads the records that the next frames will need before any of these frames is processed. With many connections each frame
 * misses the processor's caches for several records, one after the other, because one has the address of the next. Here the
 * misses of several frames overlap. What is read is not used: only `find` decides which flow a segment belongs to.
 *
 *     frame ─▶ bucket ─▶ flow ─chain─▶ flow ─▶ connection, and neighbours in the list that the flow leaves
 *     frame ─▶ bucket ─▶ flow ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄▶ connection, …
 *     …        all of a column at once, from left to right
 *
 * Each column is a loop of its own: short, so that the processor reaches the reads of many frames before the first one is answered, and
 * without a branch that is hard to predict, because what it guessed wrong is read in vain.
 */

import { INTERFACE_ID_AT, ipOf, isFrame, LENGTH_AT, PLACED, TAG_AT, tcpOf } from '../../wasm/ring-layout'
import { CONNECTION_BYTES } from './http1/connection'
import { interfaceAt } from './interfaces'
import { Region } from './memory/regions'
import { FLOW_BYTES, Flow } from './tcp/flow'
import { bucketOfSegment, movesWhenTouched, openCount, portsLookedUp } from './tcp/flow-table'

/** Frames that are looked at together (bench/findings.md). */
const FRAMES: usize = 32
/** Flows of a bucket behind the first one that are looked at: hardly any bucket has more. */
const CHAINED: i32 = 2
/** Records of so many connections fit into the caches. */
const FEW_FLOWS: u32 = 4096
const CACHE_LINE: usize = 64

/** Whether so many connections are open that their records are not in the caches. Those that are closed get few frames. */
export function paysToLookAhead(): bool {
  return openCount() > FEW_FLOWS
}

/** Where the record of one frame's flow is, as far as known. */
@unmanaged
class Ahead {
  /** Address of its bucket, then of a flow in that, or 0. */
  at: usize
  /** `Flow.ports` of the one that is looked for. Flows of one bucket hardly ever agree in them. */
  ports: u32
}
/** Bytes of what is known of all of them. */
export const AHEAD_BYTES: usize = FRAMES * offsetof<Ahead>()

/** Reads ahead for the frames among the next whole records. @returns the address after those records */
export function lookAhead(at: usize, end: usize): usize {
  const first = Region.ahead
  let last = first
  let next = at
  while (next < end && last < first + AHEAD_BYTES) {
    const size = load<i32>(next, LENGTH_AT)
    if (size < 0) {
      next = end
      break
    }
    const tag = load<i32>(next, TAG_AT)
    if (isFrame(tag)) {
      const isPlaced = tag === PLACED
      const domain = interfaceAt(load<i32>(next, INTERFACE_ID_AT)).domain
      const entry = changetype<Ahead>(last)
      entry.at = bucketOfSegment(ipOf(next, isPlaced), tcpOf(next, isPlaced), domain)
      entry.ports = portsLookedUp()
      last += offsetof<Ahead>()
    }
    next += size
  }
  readBuckets(first, last)
  for (let i = 0; i < CHAINED; i++) readChains(first, last)
  readRecords(first, last)
  return next
}

/** From buckets to their first flows. */
function readBuckets(first: usize, last: usize): void {
  for (let i = first; i < last; i += offsetof<Ahead>()) {
    const entry = changetype<Ahead>(i)
    entry.at = load<usize>(entry.at)
  }
}

/** From flows with other ports to the next ones of their buckets. `others` has no bit, or all: a condition would be a branch. */
function readChains(first: usize, last: usize): void {
  for (let i = first; i < last; i += offsetof<Ahead>()) {
    const entry = changetype<Ahead>(i)
    const at = entry.at
    // Without a flow, what is at address 0 is read, and not used.
    const flow = changetype<Flow>(at)
    const others: usize = -(<i32>(at !== 0) & <i32>(flow.ports !== entry.ports))
    entry.at = (at & ~others) | (changetype<usize>(flow.chain) & others)
  }
}

/** The whole records of flows, and then what they refer to. */
function readRecords(first: usize, last: usize): void {
  let read: usize = 0
  for (let i = first; i < last; i += offsetof<Ahead>()) {
    const flow = changetype<Ahead>(i).at
    for (let line: usize = 0; line < FLOW_BYTES; line += CACHE_LINE) read ^= load<usize>(flow + line)
    read ^= load<usize>(flow + FLOW_BYTES - 4)
  }
  for (let i = first; i < last; i += offsetof<Ahead>()) {
    const flow = changetype<Flow | null>(changetype<Ahead>(i).at)
    if (flow === null) continue
    const http = flow.http
    if (http !== 0) read ^= load<usize>(http) ^ load<usize>(http + CONNECTION_BYTES - 4)
    if (movesWhenTouched(flow)) read ^= linksOf(flow.older) ^ linksOf(flow.newer)
  }
  // So that the compiler leaves no read out.
  changetype<Ahead>(first).at = read
}

/** Reads the links of a neighbour. @param neighbour may be null */
function linksOf(neighbour: Flow | null): usize {
  return neighbour === null ? 0 : changetype<usize>(neighbour.older) ^ changetype<usize>(neighbour.newer)
}
