/**
 * The bucket of a connection: multilinear hashing of 16-bit parts with random keys (Lemire and Kaser, "Strongly universal
 * string hashing is fast", 2014). Two different tuples share a bucket by chance alone, whoever chooses them: the hash that
 * steers frames has no secret, so a peer could choose addresses and ports that collide in it.
 */
export class TupleHash {
  readonly #high: Int32Array
  readonly #low: Int32Array

  /** @param words the most that a tuple has */
  constructor(words: number) {
    const keys = crypto.getRandomValues(new Int32Array(2 * (2 * words + 1)))
    this.#high = keys.subarray(0, 2 * words + 1)
    this.#low = keys.subarray(2 * words + 1)
  }

  /** Hash of `words[0]` to `words[count - 1]`, an int32. */
  of(words: Int32Array, count: number): number {
    const highKeys = this.#high
    const lowKeys = this.#low
    let high = highKeys[0]
    let low = lowKeys[0]
    for (let i = 0, k = 1; i < count; i++, k += 2) {
      const first = words[i] >>> 16
      const second = words[i] & 0xffff
      high = (high + Math.imul(highKeys[k], first) + Math.imul(highKeys[k + 1], second)) | 0
      low = (low + Math.imul(lowKeys[k], first) + Math.imul(lowKeys[k + 1], second)) | 0
    }
    // Only the upper halves are universal.
    return (high & 0xffff0000) | (low >>> 16)
  }
}
