/**
 * Counts events over the whole time so far, in a fixed number of equal periods: as time passes, the periods become
 * longer. Bounded for any length of time. Times are packet time, microseconds since the Unix epoch.
 */

/** The number of periods. */
export const HISTORY_PERIODS = 60
const FIRST_PERIOD_MICROS = 100_000

/** The time axis that several histories share. */
export class HistoryAxis {
  startMicros = Number.NaN
  periodMicros = FIRST_PERIOD_MICROS

  /** @returns the period of a time; one before the first is in period 0 */
  periodOf(micros: number): number {
    if (Number.isNaN(this.startMicros)) this.startMicros = micros
    const since = Math.max(0, micros - this.startMicros)
    while (since >= this.periodMicros * HISTORY_PERIODS) this.periodMicros *= 2
    return Math.floor(since / this.periodMicros)
  }
}

/** The counts of one row. */
export class RateHistory {
  readonly #axis: HistoryAxis
  readonly #counts = new Uint32Array(HISTORY_PERIODS)
  #periodMicros: number

  constructor(axis: HistoryAxis) {
    this.#axis = axis
    this.#periodMicros = axis.periodMicros
  }

  /** Counts one event. */
  add(micros: number): void {
    const period = this.#axis.periodOf(micros)
    this.#widen()
    this.#counts[period] += 1
  }

  /** The counts by period, oldest first. */
  get counts(): number[] {
    this.#widen()
    return [...this.#counts]
  }

  /** Merges each two periods into one until they have the axis's length. */
  #widen(): void {
    for (; this.#periodMicros < this.#axis.periodMicros; this.#periodMicros *= 2) {
      for (let i = 0; i < HISTORY_PERIODS; i++) {
        const [left = 0, right = 0] = this.#counts.subarray(2 * i, 2 * i + 2)
        this.#counts[i] = left + right
      }
    }
  }
}
