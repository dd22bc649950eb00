/**
 * One message's half of a pair id: a 64-bit hash of its head and its first sequence number. Whatever differs between two
 * capture points of one exchange (addresses, ports, times) is not part of it.
 */
import type { HeadScanner } from '../head-scanner/head-scanner.ts'
import { DIGEST_1, DIGEST_2, NON_ASCII } from '../head-scanner/layout.ts'
import type { Arena } from '../memory/arena.ts'

/** The digest of one head at a time. */
export class HeadDigest {
  readonly #scanner: HeadScanner
  readonly #results: Int32Array

  constructor(arena: Arena) {
    this.#scanner = arena.headScanner
    this.#results = arena.results
  }

  /** Digests the head [start, end) in the arena. @param seq sequence number of its first byte */
  compute(start: number, end: number, seq: number): void {
    this.#scanner.digest(start, end, seq)
  }

  get word1(): number {
    return this.#results[DIGEST_1 / 4]
  }

  get word2(): number {
    return this.#results[DIGEST_2 / 4]
  }

  /** Whether the head has bytes over 127. */
  get nonAscii(): boolean {
    return this.#results[NON_ASCII / 4] !== 0
  }
}
