/**
 * Messages in progress that hold bytes in the pool: heads cut between segments, and bodies with what is stored of their
 * exchange. By the packet time of their last segment: for lack of room, the message that has paused longest is dropped first.
 *
 *     oldest ──▶ stream ─newer─▶ stream ─newer─▶ …
 *
 * Invariant: a stream is in the list while its `openBytes` is not 0; the sum of all is `Open.bytes`.
 */
import { isStray, Time, timerStart } from '../clock'
import { heldBytes } from '../memory/chain'
import { endProgress, exchangeOf, heldByExchange, MessageStream, Progress, partialOf, progressOf } from './connection'
import { HEAD_PART, OPAQUE } from './stream-states'

class Open {
  static oldest: Progress | null = null
  static newest: Progress | null = null
  static bytes: usize = 0
}

/** Empties the list: an assembler begins (layout.ts). */
export function openOpenMessages(): void {
  Open.oldest = null
  Open.newest = null
  Open.bytes = 0
}

/** The stream whose message has paused longest, or null. */
export function oldestOpen(): MessageStream | null {
  const oldest = Open.oldest
  return oldest === null ? null : oldest.stream
}

/** Bytes of the pool that all of them hold. */
export function openBytes(): usize {
  return Open.bytes
}

/** The stream of a message that has paused for more than `pauseMicros`, or null. */
export function overdueOpen(pauseMicros: f64): MessageStream | null {
  let oldest = Open.oldest
  while (oldest !== null && isStray(oldest.openMicros)) {
    noteOpen(oldest.stream)
    oldest = Open.oldest
  }
  return oldest !== null && Time.clock - oldest.openMicros > pauseMicros ? oldest.stream : null
}

/** A segment of the stream was processed, or what it holds has changed. */
export function noteOpen(stream: MessageStream): void {
  if (stream.progress === null) return
  const held = heldByMessage(stream)
  if (held === 0) {
    forgetOpen(stream)
    if (stream.state < HEAD_PART || stream.state === OPAQUE) endProgress(stream)
    return
  }
  const progress = progressOf(stream)
  if (progress !== Open.newest) {
    if (progress.openBytes !== 0) unlink(progress)
    pushNewest(progress)
  }
  Open.bytes += held - progress.openBytes
  progress.openBytes = held
  progress.openMicros = timerStart()
}

/** The stream ends, or what it holds is freed. */
export function forgetOpen(stream: MessageStream): void {
  const progress = stream.progress
  if (progress === null || progress.openBytes === 0) return
  unlink(progress)
  Open.bytes -= progress.openBytes
  progress.openBytes = 0
}

function pushNewest(progress: Progress): void {
  const newest = Open.newest
  progress.older = newest
  progress.newer = null
  if (newest === null) Open.oldest = progress
  else newest.newer = progress
  Open.newest = progress
}

function unlink(progress: Progress): void {
  const older = progress.older
  const newer = progress.newer
  if (older === null) Open.oldest = newer
  else older.newer = newer
  if (newer === null) Open.newest = older
  else newer.older = older
}

/** What a message in progress holds in the pool. */
function heldByMessage(stream: MessageStream): usize {
  const state = stream.state
  if (state < HEAD_PART || state === OPAQUE) return 0
  if (state === HEAD_PART) return heldBytes(partialOf(progressOf(stream)))
  const exchange = exchangeOf(stream)
  return exchange === null ? 0 : heldByExchange(exchange)
}
