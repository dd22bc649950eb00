/**
 * The message's half of a pair's id: 64 bits of its head's bytes and its first sequence number. What changes between two
 * places that see the same exchange (addresses, ports, times) does not enter.
 */
import type { HeadScanner } from '../head-scanner/head-scanner.ts'
import { DIGEST_1, DIGEST_2, NON_ASCII } from '../head-scanner/layout.ts'
import type { Arena } from '../memory/arena.ts'

/** Of the last head that was taken. */
export class HeadDigest {
  readonly #scanner: HeadScanner
  readonly #results: Int32Array

  constructor(arena: Arena) {
    this.#scanner = arena.headScanner
    this.#results = arena.results
  }

  /** @param start, end the head in the arena; @param seq sequence number of its first byte */
  take(start: number, end: number, seq: number): void {
    this.#scanner.digest(start, end, seq)
  }

  get word1(): number {
    return this.#results[DIGEST_1 / 4]
  }

  get word2(): number {
    return this.#results[DIGEST_2 / 4]
  }

  /** The head has bytes over 127. */
  get nonAscii(): boolean {
    return this.#results[NON_ASCII / 4] !== 0
  }
}
