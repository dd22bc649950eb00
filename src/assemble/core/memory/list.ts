/**
 * Records in the order in which they were appended, linked in both directions by two words of each record, one behind
 * the other: `older` and `newer`, or names like these. `links` is the offset of the first.
 *
 *     oldest ──▶ record ─newer─▶ record ─newer─▶ record ◀── newest
 *
 * Invariant: a record is in at most one list by the same two words. Only its owner knows whether it is in one.
 */
import { Region } from './regions'

/** All lists, by their place in `Region.lists`. Flows: open and not known to carry HTTP/1 (tcp/flow-lists.ts). */
export const UNPROVEN: u8 = 0
/** Flows: open and known to carry HTTP/1. */
export const PROVEN: u8 = 1
/** Flows: closed, and lingering for late segments. */
export const CLOSED: u8 = 2
/** Pieces that cannot be delivered yet, by capture (tcp/held-pieces.ts). */
export const HELD: u8 = 3
/** Streams of which bytes seem to be lost (tcp/suspicions.ts). */
export const SUSPECTED: u8 = 4
/** RSTs that were captured too early (tcp/early-resets.ts). */
export const EARLY: u8 = 5
/** Exchanges that wait (http1/deadlines.ts). */
export const WAITING: u8 = 6
/** Messages in progress that hold bytes (http1/open-messages.ts). */
export const OPEN: u8 = 7
/** What only some streams need, of connections that are not known to carry HTTP/1, and of others (tcp/rare-state.ts). */
export const RARE_UNPROVEN: u8 = 8
export const RARE_PROVEN: u8 = 9
/** What precedes the protocol of connections (flow-preambles.ts). */
export const PREAMBLE: u8 = 10
const LISTS: usize = 11

/** The first and the last record of a list, or 0. */
@unmanaged
class List {
  oldest: usize
  newest: usize
}

/** A record's neighbours, or 0. */
@unmanaged
class Links {
  older: usize
  newer: usize
}

/** Bytes of the region that holds the ends of all lists. */
export const LISTS_BYTES: usize = LISTS * offsetof<List>()

/** Empties all lists: an assembler begins (layout.ts). */
export function openLists(): void {
  memory.fill(Region.lists, 0, LISTS_BYTES)
}

/** The record that was appended first, or 0. */
export function oldestIn(list: u8): usize {
  return listAt(list).oldest
}

/** The record that was appended last, or 0. */
export function newestIn(list: u8): usize {
  return listAt(list).newest
}

/** Appends a record that is not in a list by these links, as the newest. */
export function append(list: u8, record: usize, links: usize): void {
  const ends = listAt(list)
  const newest = ends.newest
  const own = linksOf(record, links)
  own.older = newest
  own.newer = 0
  if (newest === 0) ends.oldest = record
  else linksOf(newest, links).newer = record
  ends.newest = record
}

/** Removes a record from the list that it is in. */
export function remove(list: u8, record: usize, links: usize): void {
  const ends = listAt(list)
  const own = linksOf(record, links)
  const older = own.older
  const newer = own.newer
  if (older === 0) ends.oldest = newer
  else linksOf(older, links).newer = newer
  if (newer === 0) ends.newest = older
  else linksOf(newer, links).older = older
}

function listAt(list: u8): List {
  return changetype<List>(Region.lists + <usize>list * offsetof<List>())
}

function linksOf(record: usize, links: usize): Links {
  return changetype<Links>(record + links)
}
