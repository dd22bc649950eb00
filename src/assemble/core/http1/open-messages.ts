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
import { append, newestIn, OPEN, oldestIn, remove } from '../memory/list'
import { endProgress, exchangeOf, heldByExchange, MessageStream, Progress, partialOf, progressOf } from './connection'
import { HEAD_PART, OPAQUE } from './stream-states'

const LINKS: usize = offsetof<Progress>('older')

class Open {
  static bytes: usize = 0
}

/** An assembler begins (layout.ts): no message is in progress. */
export function openOpenMessages(): void {
  Open.bytes = 0
}

/** The stream whose message has paused longest, or null. */
export function oldestOpen(): MessageStream | null {
  const oldest = oldestProgress()
  return oldest === null ? null : oldest.stream
}

/** Bytes of the pool that all of them hold. */
export function openBytes(): usize {
  return Open.bytes
}

/** The stream of a message that has paused for more than `pauseMicros`, or null. */
export function overdueOpen(pauseMicros: f64): MessageStream | null {
  let oldest = oldestProgress()
  while (oldest !== null && isStray(oldest.openMicros)) {
    noteOpen(oldest.stream)
    oldest = oldestProgress()
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
  const record = changetype<usize>(progress)
  if (record !== newestIn(OPEN)) {
    if (progress.openBytes !== 0) remove(OPEN, record, LINKS)
    append(OPEN, record, LINKS)
  }
  Open.bytes += held - progress.openBytes
  progress.openBytes = held
  progress.openMicros = timerStart()
}

/** The stream ends, or what it holds is freed. */
export function forgetOpen(stream: MessageStream): void {
  const progress = stream.progress
  if (progress === null || progress.openBytes === 0) return
  remove(OPEN, changetype<usize>(progress), LINKS)
  Open.bytes -= progress.openBytes
  progress.openBytes = 0
}

function oldestProgress(): Progress | null {
  return changetype<Progress | null>(oldestIn(OPEN))
}

/** What a message in progress holds in the pool. */
function heldByMessage(stream: MessageStream): usize {
  const state = stream.state
  if (state < HEAD_PART || state === OPAQUE) return 0
  if (state === HEAD_PART) return heldBytes(partialOf(progressOf(stream)))
  const exchange = exchangeOf(stream)
  return exchange === null ? 0 : heldByExchange(exchange)
}
