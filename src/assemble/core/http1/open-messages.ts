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
import { heldByExchange, MessageStream, partialOf } from './connection'
import { HEAD_PART, OPAQUE } from './stream-states'

class Open {
  static oldest: MessageStream | null = null
  static newest: MessageStream | null = null
  static bytes: usize = 0
}

export function openOpenMessages(): void {
  Open.oldest = null
  Open.newest = null
  Open.bytes = 0
}

/** The stream whose message has paused longest, or null. */
export function oldestOpen(): MessageStream | null {
  return Open.oldest
}

/** Bytes of the pool that all of them hold. */
export function openBytes(): usize {
  return Open.bytes
}

/** The stream of a message that has paused for more than `pauseMicros`, or null. */
export function overdueOpen(pauseMicros: f64): MessageStream | null {
  let oldest = Open.oldest
  while (oldest !== null && isStray(oldest.openMicros)) {
    noteOpen(oldest)
    oldest = Open.oldest
  }
  return oldest !== null && Time.clock - oldest.openMicros > pauseMicros ? oldest : null
}

/** A segment of the stream was processed, or what it holds has changed. */
export function noteOpen(stream: MessageStream): void {
  const held = heldByMessage(stream)
  if (held === 0) {
    if (stream.openBytes !== 0) forgetOpen(stream)
    return
  }
  if (stream !== Open.newest) {
    if (stream.openBytes !== 0) unlink(stream)
    pushNewest(stream)
  }
  Open.bytes += held - stream.openBytes
  stream.openBytes = held
  stream.openMicros = timerStart()
}

/** The stream ends, or what it holds is freed. */
export function forgetOpen(stream: MessageStream): void {
  if (stream.openBytes === 0) return
  unlink(stream)
  Open.bytes -= stream.openBytes
  stream.openBytes = 0
}

function pushNewest(stream: MessageStream): void {
  const newest = Open.newest
  stream.older = newest
  stream.newer = null
  if (newest === null) Open.oldest = stream
  else newest.newer = stream
  Open.newest = stream
}

function unlink(stream: MessageStream): void {
  const older = stream.older
  const newer = stream.newer
  if (older === null) Open.oldest = newer
  else older.newer = newer
  if (newer === null) Open.newest = older
  else newer.older = older
}

/** What a message in progress holds in the pool. */
function heldByMessage(stream: MessageStream): usize {
  const state = stream.state
  if (state < HEAD_PART || state === OPAQUE) return 0
  if (state === HEAD_PART) return heldBytes(partialOf(stream))
  const exchange = stream.exchange
  return exchange === null ? 0 : heldByExchange(exchange)
}
