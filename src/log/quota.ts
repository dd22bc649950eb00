/**
 * Admits a number of records per key and period, and sums the weights of suppressed ones. Every folding of the log uses
 * one.
 */

/** Keys remembered at most. Beyond it the oldest is forgotten, so that its next record is admitted early. */
const MAX_KEYS = 256

interface Window<R> {
  startMs: number
  /** Records since then, admitted or not. */
  seen: number
  /** Sum of the weights of suppressed records. */
  held: number
  /** The newest record held back. */
  last: R
}

export class Quota<R> {
  readonly #limit: number
  readonly #periodMs: number
  readonly #report: (last: R, held: number) => void
  readonly #windows = new Map<string, Window<R>>()

  /**
   * @param limit records admitted per key and period
   * @param report called for records held back that no later record can report: the newest, and what they stand for together
   */
  constructor(limit: number, periodMs: number, report: (last: R, held: number) => void) {
    this.#limit = limit
    this.#periodMs = periodMs
    this.#report = report
  }

  /**
   * @param nowMs a monotonic clock
   * @param weight what the record stands for; 1 each counts records
   * @returns null when the record is held back; else what was held back since the key's last admitted one
   */
  admit(key: string, record: R, nowMs: number, weight = 1): number | null {
    const window = this.#windows.get(key)
    if (window !== undefined && nowMs - window.startMs < this.#periodMs) {
      window.seen += 1
      if (window.seen <= this.#limit) return 0
      window.held += weight
      window.last = record
      return null
    }
    this.#windows.delete(key)
    this.#windows.set(key, { startMs: nowMs, seen: 1, held: 0, last: record })
    if (this.#windows.size > MAX_KEYS) this.#forgetOldest()
    return window?.held ?? 0
  }

  /** Reports everything held back. */
  flush(): void {
    for (const window of this.#windows.values()) this.#settle(window)
  }

  /** Forgets a key: its next record is admitted at once. @returns what was held back since its last admitted one */
  forget(key: string): number {
    const held = this.#windows.get(key)?.held ?? 0
    this.#windows.delete(key)
    return held
  }

  /** Forgets every key, and what was held back: the next record of each is admitted at once. */
  reset(): void {
    this.#windows.clear()
  }

  #settle(window: Window<R>): void {
    const { held, last } = window
    window.held = 0
    if (held > 0) this.#report(last, held)
  }

  #forgetOldest(): void {
    for (const [key, window] of this.#windows) {
      this.#windows.delete(key)
      this.#settle(window)
      return
    }
  }
}
