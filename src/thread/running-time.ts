/**
 * Time limits that count only while this process runs. One that was stopped, frozen with its cgroup or suspended with its machine
 * has not read yet what arrived meanwhile: to give up at once would be to repeat what has been answered.
 */

/** How often a limit is checked. */
const CHECK_MS = 1_000
/** Of a longer pause between two checks only this much is counted. */
const LONGEST_MS = 2 * CHECK_MS

/** A monotonic clock of the time in which this process ran. Call it at least every CHECK_MS. */
export class RunningTime {
  #ms = 0
  #lastMs = performance.now()

  /** Milliseconds since this was created. */
  now(): number {
    const nowMs = performance.now()
    this.#ms += Math.min(nowMs - this.#lastMs, LONGEST_MS)
    this.#lastMs = nowMs
    return this.#ms
  }
}

/** Calls `late` once the process has run for `limitMs`. @returns for `clearInterval` */
export function afterRunning(limitMs: number, late: () => void): NodeJS.Timeout {
  const time = new RunningTime()
  const check = (): void => {
    if (time.now() < limitMs) return
    clearInterval(timer)
    late()
  }
  const timer = setInterval(check, Math.min(limitMs, CHECK_MS))
  return timer
}
