/**
 * Finds the next record of a pcap file after damage. The format has no marks, so a place counts as a record only when
 * its header and those of the records behind it make sense together: lengths within bounds, and times near those
 * before. Losing a few more frames is better than reading noise as frames.
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
/** How far a candidate's time may lie from that of the record before, seconds. */
const MAX_STEP_SECONDS = 3600
/** And from that of the file's first record, in case the record before was noise itself. */
const MAX_SPAN_SECONDS = 30 * 86400

/**
 * Moves `window.begin` to the next record.
 *
 * @param firstSeconds, lastSeconds times of the first and the last record before the damage, -1 when there was none
 * @param ended no more bytes will come
 * @returns false when none was found in the available bytes; the searched ones are discarded
 */
export function findRecord(
  window: Window,
  shape: RecordShape,
  firstSeconds: number,
  lastSeconds: number,
  ended: boolean,
): boolean {
  const lookAhead = CHAIN * (shape.headerBytes + MAX_CANDIDATE_BYTES)
  window.wanted = lookAhead
  const last = ended ? window.end - shape.headerBytes : window.end - lookAhead
  for (; window.begin <= last; window.begin++) {
    const seconds = window.view.getUint32(window.begin, shape.little)
    const near =
      Math.abs(seconds - lastSeconds) <= MAX_STEP_SECONDS || Math.abs(seconds - firstSeconds) <= MAX_SPAN_SECONDS
    if ((near || firstSeconds < 0) && beginsChain(window, shape, seconds)) return true
  }
  if (ended) window.begin = window.end
  return false
}

function beginsChain(window: Window, shape: RecordShape, startSeconds: number): boolean {
  let at = window.begin
  let seconds = startSeconds
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
  if (Math.abs(seconds - lastSeconds) > MAX_STEP_SECONDS) return 0
  return at + shape.headerBytes + captured
}
