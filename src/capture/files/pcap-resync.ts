/**
 * Finds the next record of a pcap file after damage. The format has no markers, so a position counts as a record only
 * if its header and those of the records after it are consistent: lengths within bounds, and times near the earlier
 * ones. Losing a few more frames is better than reading noise as frames.
 */
import type { Window } from './window.ts'

/** The layout of one file's records. */
export interface RecordShape {
  little: boolean
  headerBytes: number
  /** Whether the wire length precedes the captured length. */
  swapped: boolean
  mayBeSwapped: boolean
  /** 1 for microseconds, 1000 for nanoseconds. */
  fractionsPerMicro: number
  /** Longest record in bytes; a longer one counts as damage. */
  maxLength: number
}

/** Consecutive records that must be consistent. */
const CHAIN = 3
/** Longest frame that is searched for. */
const MAX_CANDIDATE_BYTES = 128 * 1024
const MIN_CANDIDATE_BYTES = 14
/** Bytes searched between two reads. With fewer, the bytes that are looked ahead would be copied too often. */
const STRIDE_BYTES = 64 * 1024
/** Largest distance of a candidate's time from that of the previous record, seconds. */
const MAX_STEP_SECONDS = 3600
/** Largest distance from the time of the file's first record, in case the previous record was noise. */
const MAX_SPAN_SECONDS = 30 * 86400

/**
 * Moves `window.begin` to the next record.
 *
 * @param firstSeconds, lastSeconds times of the first and the last record before the damage, -1 when there was none
 * @param ended whether the file has ended
 * @returns false when the available bytes hold none; they are discarded as far as they were searched
 */
export function findRecord(
  window: Window,
  shape: RecordShape,
  firstSeconds: number,
  lastSeconds: number,
  ended: boolean,
): boolean {
  const lookAhead = CHAIN * (shape.headerBytes + MAX_CANDIDATE_BYTES)
  window.wanted = lookAhead + STRIDE_BYTES
  const last = ended ? window.end - shape.headerBytes : window.end - lookAhead
  const { view } = window
  const capturedAt = shape.swapped ? 12 : 8
  for (; window.begin <= last; window.begin++) {
    // The cheapest test comes first: most damaged bytes fail it, and a zip bomb contains gigabytes of them.
    const captured = view.getUint32(window.begin + capturedAt, shape.little)
    if (captured < MIN_CANDIDATE_BYTES || captured > MAX_CANDIDATE_BYTES) continue
    const seconds = view.getUint32(window.begin, shape.little)
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
    // A chain of records may end with the file, but not before its second record: one header alone proves nothing.
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
