/** A cache by network namespace for the scanner's passes: an entry that a pass does not use is dropped. Main thread. */

interface Slot<T> {
  readonly entry: T
  /** The last pass that used it. */
  pass: number
}

export class PassCache<T> {
  readonly #slots = new Map<number, Slot<T>>()
  #pass = 0

  /** Number of the current pass. */
  get pass(): number {
    return this.#pass
  }

  /** Begins a pass: drops the entries that the last pass did not use. */
  beginPass(): void {
    for (const [netns, slot] of this.#slots) if (slot.pass !== this.#pass) this.#slots.delete(netns)
    this.#pass += 1
  }

  /** The entry of a namespace, which this pass uses. @param netns inode of the namespace */
  use(netns: number): T | undefined {
    const slot = this.#slots.get(netns)
    if (slot !== undefined) slot.pass = this.#pass
    return slot?.entry
  }

  set(netns: number, entry: T): void {
    this.#slots.set(netns, { entry, pass: this.#pass })
  }
}
