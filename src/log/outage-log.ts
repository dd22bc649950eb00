/** Logs the outage of a service: its first failure, then one line per period, and its end. */
import type { Log } from './folded-log.ts'
import { Quota } from './quota.ts'

const HOUR_MS = 60 * 60_000

/** Why an attempt failed. */
export interface AttemptFailure {
  /** Failures of one kind count as repeats, though their messages differ. */
  readonly kind: string
  readonly message: string
  readonly hint: string | null
}

export class OutageLog {
  readonly #log: Pick<Log, 'info' | 'warn'>
  readonly #now: () => number
  readonly #quota: Quota<null>
  #sinceMs: number | null = null

  /** @param now a monotonic clock, milliseconds; @param periodMs between two lines about failures of one kind */
  constructor(log: Pick<Log, 'info' | 'warn'>, now: () => number = () => performance.now(), periodMs = HOUR_MS) {
    this.#log = log
    this.#now = now
    this.#quota = new Quota<null>(1, periodMs, () => {})
  }

  /** Whether the last attempt failed. */
  get lasts(): boolean {
    return this.#sinceMs !== null
  }

  /** Reports a failed attempt. */
  failed({ kind, message, hint }: AttemptFailure): void {
    this.#sinceMs ??= this.#now()
    const repeated = this.#quota.admit(kind, null, this.#now())
    if (repeated === null) return
    this.#log.warn(message, { ...(hint === null ? {} : { hint }), ...(repeated === 0 ? {} : { repeated }) })
  }

  /** Reports a successful attempt. @param message logged if that ends an outage, such as `watching pods again` */
  recovered(message: string): void {
    if (this.#sinceMs === null) return
    const afterSeconds = Math.round((this.#now() - this.#sinceMs) / 1000)
    this.#sinceMs = null
    this.#quota.reset()
    this.#log.info(message, { afterSeconds })
  }
}
