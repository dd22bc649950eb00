/**
 * Shows the running files and the remaining time: on a terminal in one line that is kept current, otherwise in
 * occasional lines while no file ends.
 */
import type { FileTimes } from './schedule.ts'

const TERMINAL_MS = 1000
/** Interval of lines in logs. */
const LOG_MS = 30_000
const CLEAR_LINE = '\r\x1b[2K'
/** After this many seconds of finished files, their actual speed has half of the weight in the estimate. */
const PACE_SECONDS = 60

const secondsSince = (startMs: number): number => (performance.now() - startMs) / 1000

export class Progress {
  readonly #times: FileTimes
  readonly #isTerminal = process.stdout.isTTY === true
  /** Start of each running file, in ms of `performance.now()`, and its expected seconds. */
  readonly #running = new Map<string, { start: number; expected: number }>()
  readonly #waiting: Set<string>
  readonly #total: number
  /** Seconds of the finished files in the last run, and in this one. */
  #expected = 0
  #needed = 0
  readonly #timer: NodeJS.Timeout
  #ended: (() => void)[] = []

  /** @param names files that have not started */
  constructor(names: readonly string[], times: FileTimes) {
    this.#times = times
    this.#waiting = new Set(names)
    this.#total = names.length
    this.#timer = setInterval(() => this.#show(), this.#isTerminal ? TERMINAL_MS : LOG_MS)
  }

  begin(name: string): void {
    this.#waiting.delete(name)
    this.#running.set(name, { start: performance.now(), expected: this.#times.secondsOf(name) })
    if (this.#isTerminal) this.#show()
  }

  /** @param report prints the file's result */
  end(name: string, report: () => void): void {
    const ended = this.#running.get(name)
    this.#running.delete(name)
    if (ended !== undefined) {
      this.#expected += ended.expected
      this.#needed += secondsSince(ended.start)
    }
    if (this.#isTerminal) process.stdout.write(CLEAR_LINE)
    else this.#timer.refresh()
    report()
    if (this.#isTerminal && this.#running.size > 0) this.#show()
    for (const resolve of this.#ended.splice(0)) resolve()
  }

  /** Resolves when the next file has ended. */
  nextEnd(): Promise<void> {
    return new Promise((resolve) => this.#ended.push(resolve))
  }

  close(): void {
    clearInterval(this.#timer)
    if (this.#isTerminal) process.stdout.write(CLEAR_LINE)
  }

  #show(): void {
    const line = progressLine({
      done: this.#total - this.#waiting.size - this.#running.size,
      total: this.#total,
      running: [...this.#running].map(([name, { start }]) => ({ name, seconds: secondsSince(start) })),
      secondsLeft: this.#secondsLeft(),
    })
    if (!this.#isTerminal) console.log(line)
    else process.stdout.write(CLEAR_LINE + line.slice(0, (process.stdout.columns ?? 80) - 1))
  }

  /**
   * An estimate from the files' durations in the last run, scaled by the finished files of this run, with all lanes in
   * use.
   */
  #secondsLeft(): number {
    const pace = (this.#needed + PACE_SECONDS) / (this.#expected + PACE_SECONDS)
    const rests = [...this.#running.values()].map(({ start, expected }) =>
      Math.max(1, pace * expected - secondsSince(start)),
    )
    const work = pace * [...this.#waiting].reduce((sum, name) => sum + this.#times.secondsOf(name), 0)
    const lanes = Math.max(1, this.#running.size)
    return Math.max(...rests, 0, (work + rests.reduce((sum, seconds) => sum + seconds, 0)) / lanes)
  }
}

interface ProgressState {
  done: number
  total: number
  running: readonly { name: string; seconds: number }[]
  secondsLeft: number
}

/** `57 of 168 files done, about 4 min left; running: golden/golden (12 s), cli/read (3 s)` */
export function progressLine({ done, total, running, secondsLeft }: ProgressState): string {
  const left = secondsLeft < 60 ? `${Math.ceil(secondsLeft / 10) * 10} s` : `${Math.ceil(secondsLeft / 60)} min`
  const names = running.map(({ name, seconds }) => `${name} (${Math.round(seconds)} s)`).join(', ')
  return `${done} of ${total} files done, about ${left} left; running: ${names}`
}
