/** Holds back records beyond a number per key and period, and counts them. For the log. */

/** Most keys remembered; beyond it the oldest is forgotten, which can only hold back less. */
const MOST_KEYS = 256

interface Window<R> {
  since: number
  /** Records let through since then, and those held back. */
  passed: number
  held: number
  /** The last one held back. */
  last: R
}

export class Quota<R> {
  readonly #most: number
  readonly #periodMs: number
  readonly #release: (last: R, held: number) => void
  readonly #windows = new Map<string, Window<R>>()

  /** @param release  told of what was held back: the last record and how many there were */
  constructor(most: number, periodMs: number, release: (last: R, held: number) => void) {
    this.#most = most
    this.#periodMs = periodMs
    this.#release = release
  }

  /** @returns whether this record may be written; false: it is held back. A period ends with the next record after it. */
  admits(key: string, record: R, now: number): boolean {
    const window = this.#windows.get(key)
    if (window !== undefined && now - window.since < this.#periodMs) {
      window.passed += 1
      if (window.passed <= this.#most) return true
      window.held += 1
      window.last = record
      return false
    }
    if (window !== undefined) this.#settle(window)
    this.#windows.delete(key)
    this.#windows.set(key, { since: now, passed: 1, held: 0, last: record })
    if (this.#windows.size > MOST_KEYS) this.#forgetOldest()
    return true
  }

  /** Tells of everything held back. */
  flush(): void {
    for (const window of this.#windows.values()) this.#settle(window)
  }

  #settle(window: Window<R>): void {
    const { held, last } = window
    window.held = 0
    if (held > 0) this.#release(last, held)
  }

  #forgetOldest(): void {
    const [key, window] = this.#windows.entries().next().value!
    this.#windows.delete(key)
    this.#settle(window)
  }
}
