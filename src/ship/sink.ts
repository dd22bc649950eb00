/**
 * The interface of outputs. The shipper owns the queue and its bounds. A sink removes pairs from the queue's front when
 * it can, and counts each of them exactly once as shipped or dropped in the ledger.
 */
import type { ShipLedger } from '../ledger/ship-ledger.ts'
import type { PairQueue } from './pair-queue.ts'
import type { PairSource } from './pair-source.ts'

/** Why a sink accepts no more pairs. */
export type SinkEnd =
  /** The reader has closed the output, a pipe. */
  | { kind: 'closed' }
  /** The output cannot be written any more. */
  | { kind: 'failed'; message: string }

/** Every method is called on the shipper's thread; times are milliseconds of its monotonic clock. */
export interface Sink {
  /** Pairs and bytes removed from the queue and neither shipped nor dropped yet. */
  readonly pairs: number
  readonly byteCount: number
  /** True while the output is unreachable: the bounds of the buffer then apply to input that could wait, too. */
  readonly down: boolean
  /** Whether its reader does not read now. It may read again at any time, so file input is not dropped meanwhile. */
  readonly awaitsReader: boolean
  /** When the oldest of these pairs arrived; Infinity while there is none. */
  readonly oldestMs: number
  /** Whether the last attempt to write to the output succeeded; null: there was none yet. */
  readonly reachable: boolean | null
  /** Why it accepts no pairs now, as a clause for an error message; null: it does, or its user reports lost pairs. */
  readonly obstacle: string | null
  /** Set once; the shipper discards everything from then on. */
  readonly end: SinkEnd | null
  /** When `pump` is to be called again even if no pair arrives; Infinity for never. */
  readonly nextDueMs: number
  /**
   * Where pairs come without pause: for how many milliseconds they may gather in the rings before they are sent.
   * Absent: a few.
   */
  readonly gatherMs?: number
  /** Removes pairs from the queue's front and sends them, as far as the output and the context's `limit` permit. */
  pump(queue: PairQueue, nowMs: number): void
  /**
   * Takes pairs directly from a ring, as far as the output and the context's `limit` permit; the rest go through the
   * queue. Called only while the queue is empty, and `pump` follows. Absent: every pair goes through the queue.
   */
  take?(pairs: PairSource, nowMs: number): void
  /** No more pairs will arrive: sends pairs without waiting for fuller batches. */
  flush(nowMs: number): void
  /** Drops held pairs older than `maxAgeMs`, oldest first, except those in flight. @returns how many */
  dropOlder(maxAgeMs: number, nowMs: number): number
  /** Drops the oldest held pairs until at most `maxBytes` are held or the rest is in flight. @returns how many */
  dropOver(maxBytes: number): number
  /** Drops all held pairs. @returns how many */
  discard(): number
  /**
   * Ends the output: writes a format's closing bracket, closes connections. Called once, last. Never rejects.
   *
   * @param isPatient whether to wait for a reader that does not read now
   */
  close(isPatient: () => boolean): Promise<void>
}

/** What the shipper passes to a sink. */
export interface SinkContext {
  readonly ledger: ShipLedger
  /** Pairs to ship in all (`-c N`); Infinity when there is no such limit. */
  readonly limit: number
  /** Wakes the shipper's loop, for sinks whose work completes outside `pump`. */
  wake(): void
}
