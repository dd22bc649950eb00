/** What the formats that need a pair as an object have in common. */
import { decodeBodies } from '../pair/decode-body.ts'
import type { Pair } from '../pair/pair.ts'
import { readPair } from '../pair/unpack.ts'
import type { FormatOptions, PairFormat } from './output-format.ts'

/**
 * A format made of one piece per pair.
 *
 * @param write makes a pair's piece; its bodies are decoded where the options say so
 */
export function pairFormat(
  options: Pick<FormatOptions, 'decode'>,
  write: (pair: Pair) => string | Uint8Array,
): PairFormat {
  return {
    begin: () => '',
    pair(raw) {
      const pair = readPair(raw)
      if (pair instanceof Error) return pair
      if (options.decode) decodeBodies(pair)
      return write(pair)
    },
    end: () => '',
  }
}
