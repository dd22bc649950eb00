/** Logs the outage of a service that is polled: its first failure, then one line an hour, and its end. */
import type { Log } from './folded-log.ts'
import { Quota } from './quota.ts'

const REPEAT_MS = 60 * 60_000

/** Why an attempt failed. */
export interface AttemptFailure {
  /** Failures of one kind count as repeats, though their messages differ. */
  readonly kind: string
  readonly message: string
  readonly hint: string
}

export class OutageLog {
  readonly #log: Pick<Log, 'info' | 'warn'>
  readonly #now: () => number
  readonly #quota = new Quota<null>(1, REPEAT_MS, () => {})
  #sinceMs: number | null = null

  /** @param now a monotonic clock, milliseconds */
  constructor(log: Pick<Log, 'info' | 'warn'>, now: () => number = () => performance.now()) {
    this.#log = log
    this.#now = now
  }

  /** An attempt has failed. */
  failed({ kind, message, hint }: AttemptFailure): void {
    this.#sinceMs ??= this.#now()
    const repeated = this.#quota.admit(kind, null, this.#now())
    if (repeated !== null) this.#log.warn(message, repeated === 0 ? { hint } : { hint, repeated })
  }

  /** An attempt has succeeded. @param message logged if there was an outage, as `watching pods again` */
  recovered(message: string): void {
    if (this.#sinceMs === null) return
    const afterSeconds = Math.round((this.#now() - this.#sinceMs) / 1000)
    this.#sinceMs = null
    this.#quota.reset()
    this.#log.info(message, { afterSeconds })
  }
}
