/**
 * What is left out when frames come faster than they can be assembled: whole connections, so that what is kept is
 * complete. A connection is kept while its hash lies below a threshold, which falls under pressure and rises again slowly.
 *
 * Both directions of a connection have one hash, and it is the lower half that decides here, because the upper one
 * chooses the assembler (steer.ts).
 */
const ALL = 0x10000
/** Under pressure the threshold falls by this share of itself, at most once per batch of frames. */
const FALL = 1 / 8
/** Never below this: something is always kept. */
const LEAST = ALL / 64
/** Without pressure it rises by this per batch: back to everything after 128. */
const RISE = ALL / 128

export class FlowShedder {
  #threshold = ALL
  #pressed = false

  /** Whether frames of connections with this hash are kept. */
  keeps(hash: number): boolean {
    return (hash & 0xffff) < this.#threshold
  }

  /** A frame had no room, or the source cannot hold frames back any longer. */
  press(): void {
    if (this.#pressed) return
    this.#pressed = true
    this.#threshold = Math.max(LEAST, Math.floor(this.#threshold * (1 - FALL)))
  }

  /** A batch of frames is complete. */
  endBatch(): void {
    if (!this.#pressed && this.#threshold < ALL) this.#threshold = Math.min(ALL, this.#threshold + RISE)
    this.#pressed = false
  }
}
