/**
 * The life of a flow: opens and closes flows, ends those that have waited too long, and makes room where the table, the pool or
 * the table of exchanges is full.
 *
 *     SYN or data ──▶ UNPROVEN ──HTTP/1 recognised──▶ PROVEN        open; in the flow table, one list each (flow-lists.ts)
 *                         │                              │
 *                         └──FIN of both ends, RST, ─────┤
 *                            idle, evicted, superseded,  │
 *                            interface gone, input ended ▼
 *     another connection on the same tuple ◀─────────  CLOSED ──LINGER_MICROS, or no room──▶ removed
 *
 * Invariants: `flows.seen = flows.open + Σ flows.closed`, because only `open` and `close` count them. A flow is closed
 * once, and its owner is released then. A closed flow holds no piece, no suspicion and no early RST; it stays so that
 * late segments find it.
 *
 * Time is packet time. A single frame with a stray timestamp cannot age anything (see `advance`).
 */
import { CLOCK_STEP_MICROS, isStray, Time } from '../clock'
import * as C from '../counters'
import { add, count } from '../counts'
import { isLow } from '../memory/cells'
import { END_EVICTED, END_FIN, END_IDLE, END_INPUT, END_INTERFACE_GONE, END_RESET, END_SUPERSEDED } from '../reasons'
import { overdueReset } from './early-resets'
import { Direction, Flow, PROTOCOL_OPAQUE, streamOf } from './flow'
import {
  addFlow,
  closeFlow,
  flowToEvict,
  idlestInOtherNetworks,
  oldestClosed,
  oldestOpen,
  otherNetworksAreFull,
  removeFlow,
  reopenFlow,
  restamp,
  tableIsFull,
} from './flow-table'
import { hasDelivered, rememberFormer } from './handshake'
import { ownerEvictOldest, ownerExpire, ownerFlowToEvict, ownerIsFull, ownerOpened, ownerRelease } from './owner'
import { freeIdleRareState, rareFlowToEvict, rareStatesAreFull } from './rare-state'
import { discard, evictHole, expireHole, finishStreams } from './reassembler'
import { LINGER_MICROS, mayBeReset } from './tuple-reuse'

/** Interval of `sweep` in packet time. It does not depend on the blocks that are read, which differ from run to run. */
const SWEEP_MICROS: f64 = 50_000

class Lifetime {
  /** A flow without segments for this long is closed (flows.closed.idle). */
  static idleMicros: f64 = 0
  /** Packet time of the last frame. */
  static lastMicros: f64 = 0
  /** Packet time of the last sweep. */
  static sweptMicros: f64 = 0
}

/** Begins at time 0, before the first frame. @param idleMicros `limits.idleTimeout` */
export function openLifetime(idleMicros: f64): void {
  Lifetime.idleMicros = idleMicros
  Lifetime.lastMicros = 0
  Lifetime.sweptMicros = 0
}

/** Advances the clock. It is set back only if the times of a file are. */
export function advance(): void {
  const micros = Time.micros
  const step = micros - Time.clock
  const agreed = abs(micros - Lifetime.lastMicros) <= CLOCK_STEP_MICROS || Time.clock === 0
  if (step > 0 ? step <= CLOCK_STEP_MICROS || agreed : step < -CLOCK_STEP_MICROS && agreed) Time.clock = micros
  Lifetime.lastMicros = micros
  if (abs(Time.clock - Lifetime.sweptMicros) >= SWEEP_MICROS) sweep()
}

/** Ends every flow of an interface that is gone. */
export function endInterface(interfaceId: i32): void {
  endOpen(false, interfaceId, END_INTERFACE_GONE)
  endOpen(true, interfaceId, END_INTERFACE_GONE)
}

/** Ends every flow: the input has ended. */
export function endAll(): void {
  endOpen(false, -1, END_INPUT)
  endOpen(true, -1, END_INPUT)
}

/** Ends every open flow of a list, oldest first. @param interfaceId only those of it; -1: all */
function endOpen(proven: bool, interfaceId: i32, how: u8): void {
  for (let flow = oldestOpen(proven); flow !== null; ) {
    const newer = flow.newer
    if (interfaceId === -1 || <i32>flow.interfaceId === interfaceId) close(flow, how)
    flow = newer
  }
}

/**
 * Makes room for the next segment: evicts connections while records are at their bounds, and while the pool is low
 * drops what is held behind holes, the oldest hole first, and then messages.
 */
export function makeRoom(): void {
  evictOverBounds()
  while (isLow()) {
    const flow = evictHole()
    if (flow !== null) holeEnded(flow)
    else if (!ownerEvictOldest()) return
  }
}

/** Evicts connections until there is room for what one segment, or what is held of one connection, may begin. */
function evictOverBounds(): void {
  while (rareStatesAreFull()) evict(rareFlowToEvict())
  while (ownerIsFull()) {
    let flow = ownerFlowToEvict()
    if (flow === null) flow = flowToEvict()
    if (flow === null) return
    close(flow, END_EVICTED)
  }
}

/** A hole of the flow was given up, and what was held behind it was delivered. */
function holeEnded(flow: Flow): void {
  closeEnded(flow)
  freeIdleRareState(streamOf(flow, 0))
  freeIdleRareState(streamOf(flow, 1))
  evictOverBounds()
}

/**
 * Abandons messages that have waited too long, gives up holes that are too old, closes flows that have been idle too long,
 * and removes closed flows that have lingered, oldest first.
 */
function sweep(): void {
  Lifetime.sweptMicros = Time.clock
  ownerExpire()
  for (let flow = expireHole(); flow !== null; flow = expireHole()) holeEnded(flow)
  for (let flow = overdueReset(Time.clock); flow !== null; flow = overdueReset(Time.clock)) close(flow, END_RESET)
  for (let closed = oldestClosed(); closed !== null; closed = oldestClosed()) {
    if (isStray(closed.lastMicros)) restamp(closed)
    else if (Time.clock - closed.lastMicros > LINGER_MICROS) removeFlow(closed)
    else break
  }
  closeIdle(false)
  closeIdle(true)
}

function closeIdle(proven: bool): void {
  for (let open = oldestOpen(proven); open !== null; open = oldestOpen(proven)) {
    if (isStray(open.lastMicros)) restamp(open)
    else if (Time.clock - open.lastMicros > Lifetime.idleMicros) close(open, END_IDLE)
    else return
  }
}

/** Another connection begins on the flow's tuple. */
export function supersede(flow: Flow, interfaceId: i32): Flow {
  close(flow, END_SUPERSEDED)
  const a = streamOf(flow, 0)
  const b = streamOf(flow, 1)
  const firstA = a.firstSeq
  const firstB = b.firstSeq
  const nextA = a.nextSeq
  const nextB = b.nextSeq
  const seenA = a.synSeen
  const seenB = b.synSeen
  const started = open(flow, interfaceId)
  if (seenA) rememberFormer(started, 0, firstA, nextA, Time.micros)
  if (seenB) rememberFormer(started, 1, firstB, nextB, Time.micros)
  return started
}

/** @param closed the flow whose tuple the connection has, or null */
export function open(closed: Flow | null, interfaceId: i32): Flow {
  count(C.flowsSeen)
  count(C.flowsOpen)
  let flow: Flow
  if (closed !== null) {
    flow = closed
    reopenFlow(flow, interfaceId)
  } else {
    if (otherNetworksAreFull()) evict(idlestInOtherNetworks())
    if (tableIsFull()) evictLeastLikely()
    flow = addFlow(interfaceId)
  }
  ownerOpened(flow)
  return flow
}

function evictLeastLikely(): void {
  const closed = oldestClosed()
  const flow = closed === null ? flowToEvict() : closed
  if (flow !== null) evict(flow)
}

/** Removes a flow for lack of room, which is closed if it is open. */
function evict(flow: Flow): void {
  if (flow.closed) count(C.flowsRemovedEarly)
  else close(flow, END_EVICTED)
  removeFlow(flow)
}

/** Closes the flow if both of its streams have ended with a FIN. */
export function closeEnded(flow: Flow): void {
  if (streamOf(flow, 0).ended && streamOf(flow, 1).ended) close(flow, END_FIN)
}

/** @param direction that the RST was sent on */
export function closeReset(flow: Flow, direction: Direction): void {
  flow.resetDirection = <u8>direction
  close(flow, END_RESET)
}

function close(flow: Flow, how: u8): void {
  if (flow.closed) return
  const unseen = how === END_IDLE || how === END_INPUT || how === END_INTERFACE_GONE || how === END_SUPERSEDED
  const cause = unseen && mayBeReset(flow) ? END_RESET : how
  if (flow.protocol !== PROTOCOL_OPAQUE) finishStreams(flow, cause)
  discard(flow)
  ownerRelease(flow)
  const a = streamOf(flow, 0)
  const b = streamOf(flow, 1)
  if (a.captured !== b.captured && hasDelivered(a.captured ? a : b)) count(C.flowsOneDirection)
  // The counters are in the order of the END_ values.
  count(C.closedFin + <usize>cause * sizeof<f64>())
  add(C.flowsOpen, -1)
  flow.closedBy = cause
  closeFlow(flow)
}
