/**
 * Sheds load when frames arrive faster than they can be assembled: it drops whole connections, so that the others are
 * complete. A connection is kept while its hash is below a threshold, which falls under overload and slowly rises
 * again.
 *
 * Both directions of a connection have the same hash. The lower half decides here, because the upper half chooses the
 * assembler (flow-hash.ts).
 */
const ALL = 0x10000
/** Under overload the threshold falls by this share of itself, at most once per batch of frames. */
const FALL = 1 / 8
/** The lowest threshold: some connections are always kept. */
const LEAST = ALL / 64
/** Without overload the threshold rises by this per batch, to the maximum within 128 batches. */
const RISE = ALL / 128

export class FlowShedder {
  #threshold = ALL
  #overloaded = false

  /** Whether connections with this hash are kept. */
  keeps(hash: number): boolean {
    return (hash & 0xffff) < this.#threshold
  }

  /** Lowers the threshold: a frame had no room, or the source cannot delay frames any longer. */
  shedMore(): void {
    if (this.#overloaded) return
    this.#overloaded = true
    this.#threshold = Math.max(LEAST, Math.floor(this.#threshold * (1 - FALL)))
  }

  /** Ends a batch of frames: raises the threshold if there was no overload. */
  endBatch(): void {
    if (!this.#overloaded && this.#threshold < ALL) this.#threshold = Math.min(ALL, this.#threshold + RISE)
    this.#overloaded = false
  }
}
