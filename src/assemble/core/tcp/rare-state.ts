/**
 * Records of what only few streams need: segments behind a hole, suspicions, a FIN ahead and the like. Their number is bounded:
 * at the bound, the connection with the oldest record is evicted, those that carry no HTTP/1 before the others.
 *
 *     made ──▶ RARE_UNPROVEN ──the connection turns out to carry HTTP/1──▶ RARE_PROVEN
 *
 * Invariants: a record is in exactly one of these lists while its stream refers to it. A segment, or giving up a hole,
 * makes two records at most, and flow-lifetime.ts makes room before the next one, so RARE_STATES_BEYOND more than the
 * bound suffice.
 */
import { Time } from '../clock'
import { append, oldestIn, RARE_PROVEN, RARE_UNPROVEN, remove } from '../memory/list'
import { Region } from '../memory/regions'
import { allocateRecord, freeRecord } from '../memory/slab'
import { Direction, Flow, flowOf, PROTOCOL_HTTP1, RareState, reachedAhead, Stream } from './flow'

/** A late copy of a connection's SYN follows the next connection's beginning by less than this. */
export const LATE_SYN_MICROS: f64 = 1_000_000
/** Records that may be made beyond the bound until room is made. */
export const RARE_STATES_BEYOND: u32 = 8

const LINKS: usize = offsetof<RareState>('older')

class Bound {
  static records: u32 = 0
  /** Records in RARE_UNPROVEN. */
  static unproven: u32 = 0
  static isReached: bool = false
}

/** An assembler begins (layout.ts). @param records how many there may be */
export function openRareStates(records: u32): void {
  Bound.records = records
  Bound.unproven = 0
  Bound.isReached = false
}

/** Whether the bound is reached, so that connections have to be removed. */
export function rareStatesAreFull(): bool {
  return Bound.isReached
}

/**
 * The flow, open or closed, to remove while `rareStatesAreFull`. As with flows, those that carry no HTTP/1 keep an
 * eighth of the room, so that new ones last until their first request.
 */
export function rareFlowToEvict(): Flow {
  for (let rare = oldestRare(RARE_UNPROVEN); rare !== null; rare = oldestRare(RARE_UNPROVEN)) {
    const flow = flowOf(rare.stream, rare.direction)
    if (flow.closed || flow.protocol !== PROTOCOL_HTTP1) break
    leaveList(rare)
    enterList(rare, RARE_PROVEN)
  }
  const proven = oldestRare(RARE_PROVEN)
  const isUnproven = Bound.unproven > Bound.records >> 3 || proven === null
  const rare = changetype<RareState>(isUnproven ? oldestRare(RARE_UNPROVEN) : proven)
  return flowOf(rare.stream, rare.direction)
}

/** The stream's record, made when first needed. */
export function rareStateOf(stream: Stream, direction: Direction): RareState {
  const present = stream.rare
  if (present !== null) return present
  const rare = changetype<RareState>(allocateRecord(Region.rareStates))
  rare.stream = stream
  rare.direction = <u8>direction
  stream.rare = rare
  enterList(rare, RARE_UNPROVEN)
  Bound.isReached = Region.rareStates.used >= Bound.records
  return rare
}

/** Frees the stream's record once nothing in it applies any more. */
export function freeIdleRareState(stream: Stream): void {
  const rare = stream.rare
  if (rare === null) return
  if (rare.formerSynSeen && abs(Time.micros - rare.formerMicros) > LATE_SYN_MICROS) rare.formerSynSeen = false
  const isIdle =
    rare.held === 0 &&
    reachedAhead(stream) <= 0 &&
    !(rare.otherSynSeen || rare.finSeen || rare.furtherFinSeen || rare.resetSeen) &&
    !(rare.urgentSeen || rare.urgentRemoved || rare.suspected || rare.earlyListed || rare.formerSynSeen)
  if (isIdle) freeRareState(stream)
}

/** Frees the stream's record, if any. It holds no piece, and is not among suspicions and early RSTs. */
export function freeRareState(stream: Stream): void {
  const rare = stream.rare
  if (rare === null) return
  stream.rare = null
  leaveList(rare)
  freeRecord(Region.rareStates, changetype<usize>(rare))
  Bound.isReached = Region.rareStates.used >= Bound.records
}

function enterList(rare: RareState, list: u8): void {
  rare.list = list
  append(list, changetype<usize>(rare), LINKS)
  if (list === RARE_UNPROVEN) Bound.unproven++
}

function leaveList(rare: RareState): void {
  if (rare.list === RARE_UNPROVEN) Bound.unproven--
  remove(rare.list, changetype<usize>(rare), LINKS)
}

function oldestRare(list: u8): RareState | null {
  return changetype<RareState | null>(oldestIn(list))
}
