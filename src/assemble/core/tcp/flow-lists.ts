/**
 * Connections in order of their last move. A connection is in exactly one list, so that its record holds the links.
 *
 *     oldest ◀──older── flow ──newer──▶ … ──newer──▶ newest
 */
import { Flow } from './flow'

/** Open and not known to carry HTTP/1; open and known to; closed, and lingering for late segments. */
export const UNPROVEN: u8 = 0
export const PROVEN: u8 = 1
export const CLOSED: u8 = 2

class Unproven {
  static size: u32 = 0
  static newest: Flow | null = null
  static oldest: Flow | null = null
}
class Proven {
  static newest: Flow | null = null
  static oldest: Flow | null = null
}
class Closed {
  static newest: Flow | null = null
  static oldest: Flow | null = null
}

/** Empties the lists: an assembler begins (layout.ts). */
export function openLists(): void {
  Unproven.size = 0
  Unproven.newest = null
  Unproven.oldest = null
  Proven.newest = null
  Proven.oldest = null
  Closed.newest = null
  Closed.oldest = null
}

/** Connections in the list UNPROVEN. */
export function unprovenSize(): u32 {
  return Unproven.size
}

/** The connection that was moved longest ago, or null. */
export function oldestOf(list: u8): Flow | null {
  return list === UNPROVEN ? Unproven.oldest : list === PROVEN ? Proven.oldest : Closed.oldest
}

/** Adds a connection that is in no list, as the newest. */
export function push(flow: Flow, list: u8): void {
  const newest = newestOf(list)
  flow.list = list
  flow.older = newest
  flow.newer = null
  if (newest !== null) newest.newer = flow
  else setOldest(list, flow)
  setNewest(list, flow)
  if (list === UNPROVEN) Unproven.size++
}

/** Removes a connection from its list. */
export function unlink(flow: Flow): void {
  const list = flow.list
  const newer = flow.newer
  const older = flow.older
  if (newer !== null) newer.older = older
  else setNewest(list, older)
  if (older !== null) older.newer = newer
  else setOldest(list, newer)
  if (list === UNPROVEN) Unproven.size--
}

/** Makes a connection the newest of a list. */
export function move(flow: Flow, list: u8): void {
  unlink(flow)
  push(flow, list)
}

function newestOf(list: u8): Flow | null {
  return list === UNPROVEN ? Unproven.newest : list === PROVEN ? Proven.newest : Closed.newest
}

function setNewest(list: u8, flow: Flow | null): void {
  if (list === UNPROVEN) Unproven.newest = flow
  else if (list === PROVEN) Proven.newest = flow
  else Closed.newest = flow
}

function setOldest(list: u8, flow: Flow | null): void {
  if (list === UNPROVEN) Unproven.oldest = flow
  else if (list === PROVEN) Proven.oldest = flow
  else Closed.oldest = flow
}
