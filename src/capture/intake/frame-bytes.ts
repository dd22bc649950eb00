/**
 * The memory a frame lies in, and the way out of it into a ring.
 *
 * Up to LOOP_BYTES a frame is copied by words: that calls nothing and makes no object, which would cost more than the
 * bytes of most frames. Longer ones go by `copyBytes`, which on Node.js 20 is fast only while source and destination agree
 * modulo 8 (measured: 4 to 7 times slower otherwise). Callers see to that congruence.
 */
import type { RingProducer } from '../../ring/byte-ring.ts'
import { copyBytes } from '../../ring/copy-bytes.ts'

/**
 * Up to here the loop is taken. ns per copy, loop against `copyBytes` on Node.js 20: 60 bytes 10 and 35, 700 bytes 58 and
 * 58, 1500 bytes 118 and 96. (Doubles would be twice as fast, but an engine may change the bits of a NaN.)
 */
const LOOP_BYTES = 700

export class FrameBytes {
  #bytes: Uint8Array = new Uint8Array(0)
  #words: Int32Array = new Int32Array(0)

  /** Works on `bytes` from now on. A source has few buffers and uses them again, so the word view is seldom made. */
  use(bytes: Uint8Array): void {
    if (bytes === this.#bytes) return
    this.#bytes = bytes
    // Words only where they begin together with the bytes; `copy` sees an empty view and goes by `copyBytes`.
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
      copyWords(this.#words, (start >> 3) << 1, last, ring.words, (to >> 3) << 1)
    } else {
      copyBytes(this.#bytes, start, end, ring.bytes, to)
    }
  }
}

/** Eight words a turn: half again as fast as one. */
function copyWords(source: Int32Array, first: number, last: number, target: Int32Array, to: number): void {
  let from = first
  let into = to
  for (const whole = last - 7; from < whole; from += 8, into += 8) {
    target[into] = source[from]
    target[into + 1] = source[from + 1]
    target[into + 2] = source[from + 2]
    target[into + 3] = source[from + 3]
    target[into + 4] = source[from + 4]
    target[into + 5] = source[from + 5]
    target[into + 6] = source[from + 6]
    target[into + 7] = source[from + 7]
  }
  for (; from < last; from++, into++) target[into] = source[from]
}
