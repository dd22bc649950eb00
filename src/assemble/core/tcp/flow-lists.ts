/**
 * Connections in order of their last move. A connection is in exactly one of the lists UNPROVEN, PROVEN and CLOSED
 * (memory/list.ts), so that its record holds the links.
 *
 *     oldest ◀──older── flow ──newer──▶ … ──newer──▶ newest
 */
import { append, CLOSED, oldestIn, remove, UNPROVEN } from '../memory/list'
import { Flow } from './flow'

const LINKS: usize = offsetof<Flow>('older')

/** How many connections are in a list. */
class Size {
  static unproven: u32 = 0
  static closed: u32 = 0
}

/** An assembler begins (layout.ts): there are no connections. */
export function openFlowLists(): void {
  Size.unproven = 0
  Size.closed = 0
}

/** Connections in the list UNPROVEN. */
export function unprovenSize(): u32 {
  return Size.unproven
}

/** Connections in the list CLOSED. */
export function closedSize(): u32 {
  return Size.closed
}

/** The connection that was moved longest ago, or null. */
export function oldestOf(list: u8): Flow | null {
  return changetype<Flow | null>(oldestIn(list))
}

/** Adds a connection that is in no list, as the newest. */
export function push(flow: Flow, list: u8): void {
  flow.list = list
  append(list, changetype<usize>(flow), LINKS)
  if (list === UNPROVEN) Size.unproven++
  else if (list === CLOSED) Size.closed++
}

/** Removes a connection from its list. */
export function unlink(flow: Flow): void {
  remove(flow.list, changetype<usize>(flow), LINKS)
  if (flow.list === UNPROVEN) Size.unproven--
  else if (flow.list === CLOSED) Size.closed--
}

/** Makes a connection the newest of a list. */
export function move(flow: Flow, list: u8): void {
  unlink(flow)
  push(flow, list)
}
