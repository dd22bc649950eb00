/** A cache by network namespace: an entry that a scan does not use is dropped at the next one. Main thread. */

interface Slot<T> {
  readonly entry: T
  /** The last scan that used it. */
  scan: number
}

export class ScanCache<T> {
  readonly #slots = new Map<number, Slot<T>>()
  #scan = 0

  /** Number of the current scan. */
  get scan(): number {
    return this.#scan
  }

  /** Begins a scan: drops the entries that the last scan did not use. */
  beginScan(): void {
    for (const [netns, slot] of this.#slots) if (slot.scan !== this.#scan) this.#slots.delete(netns)
    this.#scan += 1
  }

  /** The entry of a namespace, which this scan uses. @param netns inode of the namespace */
  use(netns: number): T | undefined {
    const slot = this.#slots.get(netns)
    if (slot !== undefined) slot.scan = this.#scan
    return slot?.entry
  }

  set(netns: number, entry: T): void {
    this.#slots.set(netns, { entry, scan: this.#scan })
  }
}
