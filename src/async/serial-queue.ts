/**
 * Runs synchronous tasks that each occupy the main thread for some milliseconds: one at a time and each in an iteration of
 * the event loop of its own, so that timers and sockets are served between them.
 */
export class SerialQueue {
  readonly #tasks: (() => void)[] = []

  /** @returns what `task` returns. What it throws is not caught, and ends the process */
  run<T>(task: () => T): Promise<T> {
    return new Promise((resolve) => {
      this.#tasks.push(() => resolve(task()))
      if (this.#tasks.length === 1) setImmediate(this.#runNext)
    })
  }

  readonly #runNext = (): void => {
    this.#tasks[0]()
    this.#tasks.shift()
    if (this.#tasks.length > 0) setImmediate(this.#runNext)
  }
}
