/**
 * Logs that pairs are dropped because the output does not accept them: one line at first, one per period while it lasts, and
 * one once it has stopped, each with the pairs since the line before.
 *
 * Thread: the shipper's.
 */
import type { DropReason } from '../ledger/ship-ledger.ts'
import type { Log } from '../log/folded-log.ts'

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

interface Episode {
  lastMs: number
  loggedMs: number
  /** Since the last line. */
  pairs: number
}

export class DropLog {
  readonly #log: Pick<Log, 'info' | 'warn'>
  readonly #episodes = new Map<BoundReason, Episode>()

  constructor(log: Pick<Log, 'info' | 'warn'>) {
    this.#log = log
  }

  /** @param nowMs a monotonic clock */
  dropped(reason: BoundReason, pairs: number, nowMs: number): void {
    const episode = this.#episodes.get(reason) ?? { lastMs: nowMs, loggedMs: Number.NEGATIVE_INFINITY, pairs: 0 }
    this.#episodes.set(reason, episode)
    episode.lastMs = nowMs
    episode.pairs += pairs
    if (nowMs - episode.loggedMs < REMIND_MS) return
    this.#warn(reason, episode.pairs)
    episode.loggedMs = nowMs
    episode.pairs = 0
  }

  /** Logs what has stopped. Call it several times a minute. */
  check(nowMs: number): void {
    for (const [reason, { lastMs, pairs }] of this.#episodes) {
      if (nowMs - lastMs < QUIET_MS) continue
      this.#episodes.delete(reason)
      this.#log.info(`stopped dropping pairs ${BOUNDS[reason]}`, { pairs })
    }
  }

  /** Logs what no line has counted yet, at the end of a run. */
  close(): void {
    for (const [reason, { pairs }] of this.#episodes) if (pairs > 0) this.#warn(reason, pairs)
    this.#episodes.clear()
  }

  #warn(reason: BoundReason, pairs: number): void {
    this.#log.warn(`dropping the oldest pairs: ${BOUNDS[reason]}`, { pairs })
  }
}
