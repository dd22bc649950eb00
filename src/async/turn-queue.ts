/**
 * Work that holds the main thread for some milliseconds each: one piece after another, each on a turn of the event loop of
 * its own. What a piece throws is nobody's to catch, and ends the process.
 */
export class Turns {
  readonly #waiting: (() => void)[] = []

  /** @param work to run when its turn comes. @returns what it returns */
  take<T>(work: () => T): Promise<T> {
    return new Promise((resolve) => {
      this.#waiting.push(() => resolve(work()))
      if (this.#waiting.length === 1) setImmediate(this.#next)
    })
  }

  readonly #next = (): void => {
    this.#waiting[0]()
    this.#waiting.shift()
    if (this.#waiting.length > 0) setImmediate(this.#next)
  }
}
