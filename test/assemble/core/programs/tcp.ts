/** The TCP half as a separate program for tests, which provide the functions of the HTTP half. */
import { Time } from '../../../../src/assemble/core/clock'
import { openPool, PAGE_RECORD_BYTES, usedBytes } from '../../../../src/assemble/core/memory/cells'
import { LISTS_BYTES, openLists } from '../../../../src/assemble/core/memory/list'
import { Region } from '../../../../src/assemble/core/memory/regions'
import { allocateRecord, openSlab, Slab } from '../../../../src/assemble/core/memory/slab'
import {
  EXTRAS_BYTES,
  FLOW_BYTES,
  Flow,
  RARE_STATE_BYTES,
  RareState,
  reachedAhead,
  Stream,
  streamOf,
  TAIL_BYTES,
} from '../../../../src/assemble/core/tcp/flow'
import { advance, endAll, endInterface, openLifetime } from '../../../../src/assemble/core/tcp/flow-lifetime'
import { openFlowLists } from '../../../../src/assemble/core/tcp/flow-lists'
import {
  addFlow,
  addressWord,
  closeFlow,
  find,
  flowCount,
  foundDirection,
  isIpv6,
  join,
  lookupVisits,
  nextInOtherNetwork,
  oldestClosed,
  oldestOpen,
  openFlowTable,
  portOf,
  removeFlow,
  tableIsFull,
  takeSecrets,
  touch,
} from '../../../../src/assemble/core/tcp/flow-table'
import {
  acceptSynAck,
  beginStream,
  hasDelivered,
  otherSynSeen,
  rememberSyn,
} from '../../../../src/assemble/core/tcp/handshake'
import {
  addPiece,
  bytesIn,
  bytesOf,
  clearPieces,
  endSeq,
  floorPiece,
  oldestPiece,
  openPieces,
  Piece,
  pieceVisits,
  removeFirst,
} from '../../../../src/assemble/core/tcp/held-pieces'
import { openRareStates, RARE_STATES_BEYOND, rareStateOf } from '../../../../src/assemble/core/tcp/rare-state'
import {
  clearSuspicion,
  coveredBytes,
  isBelieved,
  overdueSuspicion,
} from '../../../../src/assemble/core/tcp/suspicions'
import { segment } from '../../../../src/assemble/core/tcp/tracker'

export {
  acceptSynAck,
  addFlow,
  addPiece,
  addressWord,
  advance,
  beginStream,
  bytesIn,
  bytesOf,
  clearPieces,
  clearSuspicion,
  closeFlow,
  coveredBytes,
  endAll,
  endInterface,
  endSeq,
  find,
  floorPiece,
  flowCount,
  foundDirection,
  hasDelivered,
  isBelieved,
  isIpv6,
  join,
  lookupVisits,
  nextInOtherNetwork,
  oldestClosed,
  oldestOpen,
  oldestPiece,
  otherSynSeen,
  overdueSuspicion,
  pieceVisits,
  portOf,
  rareStateOf,
  rememberSyn,
  removeFirst,
  removeFlow,
  segment,
  streamOf,
  tableIsFull,
  takeSecrets,
  touch,
  usedBytes,
}

/** Sizes of the records, which the host needs to lay out the memory. */
export const SIZE_OF_FLOW: i32 = <i32>FLOW_BYTES
export const SIZE_OF_TAIL: i32 = <i32>TAIL_BYTES
export const SIZE_OF_EXTRAS: i32 = <i32>EXTRAS_BYTES
export const SIZE_OF_RARE_STATE: i32 = <i32>RARE_STATE_BYTES
export const SIZE_OF_LISTS: i32 = <i32>LISTS_BYTES
export const SIZE_OF_SLAB: i32 = <i32>offsetof<Slab>()
export const SIZE_OF_PAGE: i32 = <i32>PAGE_RECORD_BYTES

/** Addresses and bounds of the regions, which the host writes before it calls `configure`. */
@unmanaged
class Layout {
  idleMicros: f64
  counts: usize
  hashKeys: usize
  buckets: usize
  bucketCount: u32
  slabs: usize
  lists: usize
  flows: usize
  tails: usize
  extras: usize
  rareStateCount: u32
  rareStates: usize
  capacity: u32
  pages: usize
  roomy: usize
  pool: usize
  poolPages: u32
  seed: u32
}

/** Resets all state. */
export function configure(at: usize): void {
  const layout = changetype<Layout>(at)
  const capacity = layout.capacity
  Region.counts = layout.counts
  Region.hashKeys = layout.hashKeys
  Region.buckets = layout.buckets
  Region.bucketMask = layout.bucketCount - 1
  memory.fill(layout.buckets, 0, <usize>layout.bucketCount * sizeof<usize>())
  Region.lists = layout.lists
  Region.pages = layout.pages
  Region.roomy = layout.roomy
  Region.pool = layout.pool
  Region.flows = slabAt(layout.slabs, 0, layout.flows, <usize>capacity * FLOW_BYTES, FLOW_BYTES)
  Region.firstFlow = layout.flows
  Region.tails = layout.tails
  Region.extras = layout.extras
  const rareStates = layout.rareStateCount
  Region.rareStates = slabAt(layout.slabs, 1, layout.rareStates, <usize>rareStates * RARE_STATE_BYTES, RARE_STATE_BYTES)
  openRareStates(rareStates - RARE_STATES_BEYOND)
  openPool(layout.poolPages)
  openLists()
  openFlowLists()
  openFlowTable(capacity)
  openPieces(layout.seed)
  openLifetime(layout.idleMicros)
  Time.micros = 0
  Time.clock = 0
}

function slabAt(slabs: usize, index: usize, start: usize, bytes: usize, recordBytes: usize): Slab {
  const slab = changetype<Slab>(slabs + index * offsetof<Slab>())
  openSlab(slab, start, start + bytes, recordBytes)
  return slab
}

/** Sets the packet time of the next segment. */
export function setMicros(micros: f64): void {
  Time.micros = micros
}

/** Records of rare state in use. */
export function rareStatesUsed(): u32 {
  return Region.rareStates.used
}

/** Properties of a flow that its owner reads. */
export function clientOf(flow: Flow): i32 {
  return flow.client
}

export function nextSeqOf(flow: Flow, direction: u32): i32 {
  return streamOf(flow, direction).nextSeq
}

export function setProtocol(flow: Flow, protocol: u8): void {
  flow.protocol = protocol
}

/** Sets packet time and the clock of timers. */
export function setClock(micros: f64): void {
  Time.micros = micros
  Time.clock = micros
}

/** The next open flow of the list after this one, in the order of `oldestOpen`. */
export function newerOf(flow: Flow): Flow | null {
  return flow.newer
}

export function hashOf(flow: Flow): i32 {
  return flow.hash
}

/** A flow outside of the table. */
export function newFlow(): Flow {
  return changetype<Flow>(allocateRecord(Region.flows))
}

/** The held pieces of a stream whose flow is outside of the table. */
export function newRareState(): RareState {
  return rareStateOf(streamOf(newFlow(), 0), 0)
}

/** The stream's record after one of several SYNs. */
export function firstSeqOf(stream: Stream): i32 {
  return stream.firstSeq
}

export function streamNextSeq(stream: Stream): i32 {
  return stream.nextSeq
}

/** Where the furthest segment starts, if that is ahead; otherwise the next byte. */
export function reachedOf(stream: Stream): i32 {
  return stream.nextSeq + max(0, reachedAhead(stream))
}

export function isKnown(stream: Stream): bool {
  return stream.known
}

export function isSynSeen(stream: Stream): bool {
  return stream.synSeen
}

/** Simulates that the receiver has acknowledged up to this number. */
export function setAcked(stream: Stream, acked: i32): void {
  stream.ackedKnown = true
  stream.acked = acked
}

export function setNextSeq(stream: Stream, nextSeq: i32): void {
  stream.nextSeq = nextSeq
}

export function addSegments(flow: Flow, segments: i32): void {
  flow.segments += segments
}

export function isSuspected(stream: Stream): bool {
  const rare = stream.rare
  return rare !== null && rare.suspected
}

export function heldOf(rare: RareState): usize {
  return rare.held
}

export function heldPiecesOf(rare: RareState): i32 {
  return rare.heldPieces
}

export function heldBytesOf(rare: RareState): i32 {
  return rare.heldBytes
}

export function seqOf(piece: Piece): i32 {
  return piece.seq
}

export function heldSinceOf(piece: Piece): f64 {
  return piece.heldSince
}

export function nextOf(piece: Piece): Piece | null {
  return piece.next
}

/** The cell after this one of a piece. */
export function nextCell(cell: usize): usize {
  return load<usize>(cell)
}
