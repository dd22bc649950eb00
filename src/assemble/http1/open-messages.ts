/**
 * Messages in progress that hold bytes in the pool: heads cut between segments, and bodies with what is stored of their
 * exchange. By the packet time of their last segment, so that for lack of room the one that has stood still longest is dropped first.
 *
 *     oldest ──▶ stream ─newer─▶ stream ─newer─▶ …
 */
import type { PacketTime } from '../packet-time.ts'
import type { MessageStream } from './connection.ts'
import { HEAD_PART, OPAQUE } from './stream-states.ts'

export class OpenMessages {
  /** The stream whose message has stood still longest. */
  oldest: MessageStream | null = null
  /** What all of them hold. */
  bytes = 0
  readonly #time: PacketTime
  readonly #pauseMicros: number
  #newest: MessageStream | null = null

  /** @param pauseMicros how long a message may stand still */
  constructor(time: PacketTime, pauseMicros: number) {
    this.#time = time
    this.#pauseMicros = pauseMicros
  }

  /** The stream of a message that has stood still for too long, or null. */
  get overdue(): MessageStream | null {
    const time = this.#time
    while (this.oldest !== null && time.isStray(this.oldest.openMicros)) this.note(this.oldest)
    return this.oldest !== null && time.clock - this.oldest.openMicros > this.#pauseMicros ? this.oldest : null
  }

  /** A segment of the stream was processed, or what it holds has changed. */
  note(stream: MessageStream): void {
    const held = heldBytes(stream)
    if (held === 0) {
      if (stream.openBytes !== 0) this.remove(stream)
      return
    }
    if (stream !== this.#newest) {
      if (stream.openBytes !== 0) this.#unlink(stream)
      this.#push(stream)
    }
    this.bytes += held - stream.openBytes
    stream.openBytes = held
    stream.openMicros = this.#time.start
  }

  /** The stream ends, or what it holds is freed. */
  remove(stream: MessageStream): void {
    if (stream.openBytes === 0) return
    this.#unlink(stream)
    this.bytes -= stream.openBytes
    stream.openBytes = 0
  }

  #push(stream: MessageStream): void {
    const newest = this.#newest
    stream.older = newest
    stream.newer = null
    if (newest === null) this.oldest = stream
    else newest.newer = stream
    this.#newest = stream
  }

  #unlink(stream: MessageStream): void {
    const { older, newer } = stream
    if (older === null) this.oldest = newer
    else older.newer = newer
    if (newer === null) this.#newest = older
    else newer.older = older
    stream.older = null
    stream.newer = null
  }
}

/** What a message in progress holds in the pool. */
function heldBytes(stream: MessageStream): number {
  const { state, exchange } = stream
  if (state < HEAD_PART || state === OPAQUE) return 0
  if (state === HEAD_PART) return stream.partial.chain.heldBytes
  return exchange === null ? 0 : exchange.heldBytes
}
