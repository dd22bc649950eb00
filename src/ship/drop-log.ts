/**
 * Logs that pairs are dropped because the output does not accept them: one line at first, one per period while it lasts, and
 * one once it has stopped, each with the pairs since the line before.
 *
 * Thread: the shipper's.
 */
import type { DropReason } from '../ledger/ship-ledger.ts'
import type { Log } from '../log/folded-log.ts'
import { Quota } from '../log/quota.ts'

/** Between two lines while pairs are dropped. */
const REMIND_MS = 10 * 60_000
/** Without a drop for this time, dropping has stopped. */
const QUIET_MS = 60_000

/** The reasons of drops that last as long as the output does not accept pairs. */
export type BoundReason = Extract<DropReason, 'maxAge' | 'bufferBytes'>

const BOUNDS: Readonly<Record<BoundReason, string>> = {
  maxAge: 'older than ship.maxAge',
  bufferBytes: 'over ship.bufferBytes',
}

export class DropLog {
  readonly #log: Pick<Log, 'info' | 'warn'>
  readonly #quota: Quota<BoundReason>
  /** When pairs were dropped last, of what has not stopped. */
  readonly #lastMs = new Map<BoundReason, number>()

  constructor(log: Pick<Log, 'info' | 'warn'>) {
    this.#log = log
    this.#quota = new Quota(1, REMIND_MS, (reason, pairs) => this.#warn(reason, pairs))
  }

  /** @param nowMs a monotonic clock */
  dropped(reason: BoundReason, pairs: number, nowMs: number): void {
    this.#lastMs.set(reason, nowMs)
    const before = this.#quota.admit(reason, reason, nowMs, pairs)
    if (before !== null) this.#warn(reason, before + pairs)
  }

  /** Logs what has stopped. Call it several times a minute. */
  check(nowMs: number): void {
    for (const [reason, lastMs] of this.#lastMs) {
      if (nowMs - lastMs < QUIET_MS) continue
      this.#lastMs.delete(reason)
      this.#log.info(`stopped dropping pairs ${BOUNDS[reason]}`, { pairs: this.#quota.forget(reason) })
    }
  }

  /** Logs what no line has counted yet, at the end of a run. */
  close(): void {
    this.#quota.flush()
  }

  #warn(reason: BoundReason, pairs: number): void {
    this.#log.warn(`dropping the oldest pairs: ${BOUNDS[reason]}`, { pairs })
  }
}
