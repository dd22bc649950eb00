/**
 * The memory a frame lies in, and the way out of it into a ring.
 *
 * A source hands over the same few buffers again and again, so the word view over them is made once. Short frames are
 * copied by words, because `subarray` and `set` cost more than the bytes; long ones by `set`, which is fast only while
 * source and destination agree modulo 8 (measured: 4 to 7 times slower otherwise). Callers see to that congruence.
 */
import type { RingProducer } from '../ring/byte-ring.ts'

/** Up to here a loop over words beats `set`. */
const LOOP_BYTES = 192

export class FrameBytes {
  #bytes: Uint8Array = new Uint8Array(0)
  #words: Int32Array = new Int32Array(0)

  /** Works on `bytes` from now on. */
  use(bytes: Uint8Array): void {
    if (bytes === this.#bytes) return
    this.#bytes = bytes
    // Words only where they begin together with the bytes; `copy` sees an empty view and goes by `set`.
    this.#words =
      (bytes.byteOffset & 7) === 0
        ? new Int32Array(bytes.buffer, bytes.byteOffset, (bytes.length & ~7) >> 2)
        : new Int32Array(0)
  }

  /**
   * Copies start…end to `to` of the ring's data, where `to` and `start` agree modulo 8. May write up to 7 bytes before
   * and behind, within the 8-byte words of both ends.
   */
  copy(start: number, end: number, ring: RingProducer, to: number): void {
    const last = ((end + 7) >> 3) << 1
    if (end - start <= LOOP_BYTES && last <= this.#words.length) {
      const source = this.#words
      const target = ring.words
      const shift = (to - start) >> 2
      for (let word = (start >> 3) << 1; word < last; word++) target[word + shift] = source[word]
      return
    }
    ring.bytes.set(this.#bytes.subarray(start, end), to)
  }
}
