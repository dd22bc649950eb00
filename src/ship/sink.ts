/**
 * Where pairs go. The shipper owns the queue and its bounds; a sink takes pairs from the queue's front when it can and
 * answers for them from then on: each ends up shipped or dropped in the ledger, exactly once.
 */
import type { ShipLedger } from '../ledger/ship-ledger.ts'
import type { PairQueue } from './pair-queue.ts'

/** Why a sink wants no more pairs. */
export type SinkEnd =
  /** The reader of the output has gone: a closed pipe. */
  | { kind: 'closed' }
  /** The output cannot be written any more. */
  | { kind: 'failed'; message: string }

/** Every method is called on the shipper's thread; times are milliseconds of its monotonic clock. */
export interface Sink {
  /** Pairs and bytes taken from the queue and neither shipped nor dropped yet. */
  readonly pairs: number
  readonly byteCount: number
  /** True while the output cannot be reached: the bounds of the buffer apply then, also for input that could wait. */
  readonly away: boolean
  /** When the oldest of these pairs arrived; Infinity while there is none. */
  readonly oldestMs: number
  /** Whether the output takes pairs, as far as was tried; null: it was not tried yet. */
  readonly reachable: boolean | null
  /** Set once; the shipper discards everything from then on. */
  readonly end: SinkEnd | null
  /** When `pump` wants to be called again even if no pair comes; Infinity for never. */
  readonly nextDueMs: number
  /** Takes what it can from the queue's front and moves it on, within the context's `limit`. */
  pump(queue: PairQueue, nowMs: number): void
  /** No more pairs will come: hold nothing back for the sake of batching. */
  flush(nowMs: number): void
  /** Drops held pairs older than `maxAgeMs`, oldest first, except what is on its way. @returns how many */
  dropOlder(maxAgeMs: number, nowMs: number): number
  /** Drops the oldest held pairs until at most `maxBytes` are held or the rest is on its way. @returns how many */
  dropOver(maxBytes: number): number
  /** Gives up on everything held. @returns how many */
  discard(): number
  /** Ends the output (a format's closing bracket, connections). Called once, last. Never rejects. */
  close(): Promise<void>
}

/** What a sink is given by the shipper. */
export interface SinkContext {
  readonly ledger: ShipLedger
  /** Pairs to ship in all (`-c N`); Infinity when there is no such limit. */
  readonly limit: number
  /** Brings the shipper's loop round, for sinks whose work completes outside of `pump`. */
  wake(): void
}
