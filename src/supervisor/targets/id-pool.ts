/**
 * Allocates small numbers, and reuses each as late as possible, because late messages and frames may still refer to it.
 */
export class IdPool {
  readonly #quarantine: number
  readonly #end: number
  readonly #released: number[] = []
  #next: number

  /**
   * @param first the smallest number
   * @param quarantine how many other numbers must have been released after a number before it is used again
   * @param end the number after the largest; infinite: there is no bound
   */
  constructor(first: number, quarantine: number, end = Number.POSITIVE_INFINITY) {
    this.#next = first
    this.#quarantine = quarantine
    this.#end = end
  }

  /** Whether no number is free: all are held or in quarantine. */
  get isExhausted(): boolean {
    return this.#released.length <= this.#quarantine && this.#next >= this.#end
  }

  /**
   * Returns a free number; the pool is not exhausted. Numbers stay below `first` + the most ever held at once +
   * `quarantine`.
   */
  acquire(): number {
    if (this.#released.length > this.#quarantine) return this.#released.shift() as number
    return this.#next++
  }

  /** Returns a number to the pool. */
  release(id: number): void {
    this.#released.push(id)
  }
}
