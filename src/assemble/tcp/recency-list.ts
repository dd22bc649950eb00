/**
 * Connections in order of their last move, by index. The links of all lists are in two arrays, because a connection is in at
 * most one list.
 *
 *     oldest ◀──older── i ──newer──▶ … ──newer──▶ newest
 */

/** No connection. */
export const NO_FLOW = -1

export class Links {
  readonly newer: Int32Array
  readonly older: Int32Array

  constructor(capacity: number) {
    this.newer = new Int32Array(capacity)
    this.older = new Int32Array(capacity)
  }
}

export class RecencyList {
  size = 0
  newest = NO_FLOW
  oldest = NO_FLOW
  readonly #links: Links

  constructor(links: Links) {
    this.#links = links
  }

  /** Adds a connection that is in no list, as the newest. */
  push(index: number): void {
    const { newer, older } = this.#links
    this.size++
    older[index] = this.newest
    newer[index] = NO_FLOW
    if (this.newest !== NO_FLOW) newer[this.newest] = index
    else this.oldest = index
    this.newest = index
  }

  unlink(index: number): void {
    const { newer, older } = this.#links
    this.size--
    const next = newer[index]
    const previous = older[index]
    if (next !== NO_FLOW) older[next] = previous
    else this.newest = previous
    if (previous !== NO_FLOW) newer[previous] = next
    else this.oldest = next
  }
}
