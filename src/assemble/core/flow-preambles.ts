/**
 * What precedes the protocol of open connections, as the host keeps it: a parser's state, or the addresses that a PROXY
 * head named. Each is a cell of the pool; the content is the host's (../host/flow-preambles.ts).
 *
 *     extrasOf(flow).preambleCell ──▶ FlowPreamble, content
 *     oldest ──▶ FlowPreamble ─newer─▶ FlowPreamble ─newer─▶ …     in the order in which they were stored
 *
 * They use a quarter of the pool at most. At that bound connections are evicted that have been idle longer than others whose
 * preambles are as old (eviction.ts).
 */
import { allocate, CONTENT_AT, capacity, LARGEST_CELL_BYTES, NO_CELL, poolBytes, release } from './memory/cells'
import { append, oldestIn, PREAMBLE, remove } from './memory/list'
import { extrasOf, Flow } from './tcp/flow'

/** The header of a cell, before its content. */
@unmanaged
class FlowPreamble {
  /** The link that every cell begins with (memory/cells.ts); not used here. */
  link: usize
  flow: Flow
  length: usize
  older: FlowPreamble | null
  newer: FlowPreamble | null
}

const BYTES_AT: usize = (offsetof<FlowPreamble>() + 7) & ~7
const HEADER_BYTES: usize = BYTES_AT - CONTENT_AT
const LINKS: usize = offsetof<FlowPreamble>('older')
/** Preambles may use one in POOL_PART bytes of the pool. */
const POOL_PART: usize = 4
/** How many of the oldest preambles are searched for the connection that has been idle longest. */
const LOOKED_AT: i32 = 16

class Stored {
  static bytes: usize = 0
  static bound: usize = 0
}

/** An assembler begins (layout.ts), and the pool is open. */
export function openFlowPreambles(): void {
  Stored.bytes = 0
  Stored.bound = poolBytes() / POOL_PART
}

/** Whether the bound is exceeded. What one segment stores may exceed it. */
export function preamblesAreFull(): bool {
  return Stored.bytes > Stored.bound
}

/** Of the oldest ones, the connection that has been idle longest; the others become the newest. null: there is none. */
export function idlestWithPreamble(): Flow | null {
  let idlest = changetype<FlowPreamble | null>(oldestIn(PREAMBLE))
  for (let looked = 1; looked < LOOKED_AT && idlest !== null; looked++) {
    const other = idlest.newer
    if (other === null) break
    const isIdler = other.flow.lastMicros < idlest.flow.lastMicros
    const active = isIdler ? idlest : other
    if (isIdler) idlest = other
    remove(PREAMBLE, changetype<usize>(active), LINKS)
    append(PREAMBLE, changetype<usize>(active), LINKS)
  }
  return idlest === null ? null : idlest.flow
}

/** Replaces what is kept for a flow. @returns where the host writes `length` bytes; 0: the pool has no room, or `length` is 0 */
export function storePreamble(flow: Flow, length: usize): usize {
  freePreamble(flow)
  const whole = HEADER_BYTES + length
  if (length === 0 || whole > LARGEST_CELL_BYTES) return 0
  const cell = allocate(whole)
  if (cell === NO_CELL) return 0
  const preamble = changetype<FlowPreamble>(cell)
  preamble.flow = flow
  preamble.length = length
  append(PREAMBLE, cell, LINKS)
  Stored.bytes += capacity(cell)
  flow.preambleStored = true
  extrasOf(flow).preambleCell = cell
  return cell + BYTES_AT
}

/** Address of the bytes that the host keeps for the flow; 0: it keeps none. */
export function preambleAt(flow: Flow): usize {
  return flow.preambleStored ? extrasOf(flow).preambleCell + BYTES_AT : 0
}

/** Number of bytes that the host keeps for the flow. Call it only if there are some. */
export function preambleLength(flow: Flow): usize {
  return changetype<FlowPreamble>(extrasOf(flow).preambleCell).length
}

/** The connection is over, or what was kept is of no use any more. */
export function freePreamble(flow: Flow): void {
  if (!flow.preambleStored) return
  const cell = extrasOf(flow).preambleCell
  remove(PREAMBLE, cell, LINKS)
  Stored.bytes -= capacity(cell)
  release(cell)
  flow.preambleStored = false
}
