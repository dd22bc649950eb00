/**
 * Finds the next record of a pcap file after damage. The format has no marks, so a place counts as a record only when
 * its header and those of the records behind it make sense together: lengths within bounds, and times near the last good
 * one. Better to lose a few frames more than to take noise for frames.
 */
import type { Window } from './window.ts'

/** How the records of one file are laid out. */
export interface RecordShape {
  little: boolean
  headerBytes: number
  /** The wire length stands before the captured one. */
  swapped: boolean
  mayBeSwapped: boolean
  /** 1 for microseconds, 1000 for nanoseconds. */
  fractionsPerMicro: number
  /** A record that claims more is damage, bytes. */
  maxLength: number
}

/** Records in a row that must make sense. */
const CHAIN = 3
/** A candidate's lengths: frames of more than this are not looked for. */
const MAX_CANDIDATE_BYTES = 128 * 1024
const MIN_CANDIDATE_BYTES = 14
/** How far a candidate's time may lie from the last good one, seconds. */
const MAX_STEP_SECONDS = 3600

/** @returns whether a record header is to be believed when nothing was wrong before it */
export const plausibleLength = (captured: number, onWire: number, seconds: number, maxLength: number): boolean =>
  captured <= maxLength && (captured !== 0 || onWire !== 0 || seconds !== 0)

/**
 * Moves `window.begin` to the next record.
 *
 * @param lastSeconds time of the last good record, -1 when there was none
 * @param ended no more bytes will come
 * @returns false when none was found in what is there; what has been searched is let go
 */
export function findRecord(window: Window, shape: RecordShape, lastSeconds: number, ended: boolean): boolean {
  const lookAhead = CHAIN * (shape.headerBytes + MAX_CANDIDATE_BYTES)
  window.wanted = lookAhead
  const last = ended ? window.end - shape.headerBytes : window.end - lookAhead
  for (; window.begin <= last; window.begin++) {
    if (beginsChain(window, shape, lastSeconds)) return true
  }
  if (ended) window.begin = window.end
  return false
}

function beginsChain(window: Window, shape: RecordShape, lastSeconds: number): boolean {
  let at = window.begin
  let seconds = lastSeconds
  for (let count = 0; count < CHAIN; count++) {
    // A chain may end with the file, but not before its second record: one header alone proves nothing.
    if (at === window.end && count > 0) return true
    if (at + shape.headerBytes > window.end) return false
    const next = plausibleRecord(window.view, at, shape, seconds)
    if (next === 0) return false
    seconds = window.view.getUint32(at, shape.little)
    at = next
  }
  return at <= window.end
}

/** @returns where the record at `at` ends, 0 when it cannot be one */
function plausibleRecord(view: DataView, at: number, shape: RecordShape, lastSeconds: number): number {
  const { little } = shape
  const captured = view.getUint32(at + (shape.swapped ? 12 : 8), little)
  if (captured < MIN_CANDIDATE_BYTES || captured > MAX_CANDIDATE_BYTES) return 0
  const onWire = view.getUint32(at + (shape.swapped ? 8 : 12), little)
  if (onWire < captured || onWire > 16 * MAX_CANDIDATE_BYTES) return 0
  if (view.getUint32(at + 4, little) >= 1e6 * shape.fractionsPerMicro) return 0
  const seconds = view.getUint32(at, little)
  if (lastSeconds >= 0 && Math.abs(seconds - lastSeconds) > MAX_STEP_SECONDS) return 0
  return at + shape.headerBytes + captured
}
