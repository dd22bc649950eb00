/** Small numbers, given out again as late as possible: what still speaks of a number's last holder must have gone by then. */
export class LateIds {
  readonly #resting: number
  readonly #given: number[] = []
  #next: number

  /** @param first the smallest; @param resting how many must have been given back after a number before it is used again */
  constructor(first: number, resting: number) {
    this.#next = first
    this.#resting = resting
  }

  /** A number nobody has. They stay below the most that were ever held at once, plus `resting`. */
  take(): number {
    if (this.#given.length > this.#resting) return this.#given.shift()!
    return this.#next++
  }

  /** Gives one back. */
  give(id: number): void {
    this.#given.push(id)
  }
}
