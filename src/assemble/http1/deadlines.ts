/** A list of waiting exchanges, by index, ordered by the packet time at which their waiting began. */
import { grownInts } from '../memory/grow.ts'

/** No exchange. */
export const NO_EXCHANGE = -1
/** Of `#later`: the exchange is not in the list. */
const UNLISTED = -2

export class Deadlines {
  /** The exchange that has waited longest, or NO_EXCHANGE. */
  soonest = NO_EXCHANGE
  #latest = NO_EXCHANGE
  #sooner = new Int32Array(0)
  #later = new Int32Array(0)
  #micros = new Float64Array(0)

  /** Makes room for exchanges with an index below `capacity`, which only grows. */
  grow(capacity: number): void {
    this.#sooner = grownInts(this.#sooner, capacity, 0)
    this.#later = grownInts(this.#later, capacity, UNLISTED)
    const micros = new Float64Array(capacity)
    micros.set(this.#micros)
    this.#micros = micros
  }

  /** When a listed exchange began to wait. */
  micros(index: number): number {
    return this.#micros[index]
  }

  /** @param micros when the waiting began */
  add(index: number, micros: number): void {
    this.remove(index)
    this.#micros[index] = micros
    this.#sooner[index] = this.#latest
    this.#later[index] = NO_EXCHANGE
    if (this.#latest !== NO_EXCHANGE) this.#later[this.#latest] = index
    else this.soonest = index
    this.#latest = index
  }

  /** Does nothing if the exchange is in no list. */
  remove(index: number): void {
    const later = index === NO_EXCHANGE ? UNLISTED : this.#later[index]
    if (later === UNLISTED) return
    const sooner = this.#sooner[index]
    if (sooner !== NO_EXCHANGE) this.#later[sooner] = later
    else this.soonest = later
    if (later !== NO_EXCHANGE) this.#sooner[later] = sooner
    else this.#latest = sooner
    this.#later[index] = UNLISTED
  }
}
