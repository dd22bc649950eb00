/** Pseudo-random numbers that are the same at every run (xorshift, Marsaglia 2003, "Xorshift RNGs", §3). */
export class Random {
  #state: number

  /** @param seed any integer but 0 */
  constructor(seed: number) {
    this.#state = seed | 0
  }

  /** A number in 0…1, 1 not included. */
  next(): number {
    let x = this.#state
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.#state = x
    return (x >>> 0) / 2 ** 32
  }

  /** An integer in 0…`limit` - 1. */
  below(limit: number): number {
    return Math.floor(this.next() * limit)
  }

  /** True in `share` of all calls. */
  chance(share: number): boolean {
    return this.next() < share
  }

  /** `digits` hexadecimal digits. */
  hex(digits: number): string {
    let text = ''
    while (text.length < digits) text += this.below(0x1000000).toString(16).padStart(6, '0')
    return text.slice(0, digits)
  }

  /** One of `items`. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]
  }
}
