/** The base of formats that need each pair as an object. */
import { decodeBodies } from '../pair/decode-body.ts'
import type { Pair } from '../pair/pair.ts'
import { readPair } from '../pair/unpack.ts'
import type { FormatOptions, PairFormat } from './output-format.ts'

/**
 * Creates a format that writes one piece per pair and nothing around them.
 *
 * @param write  formats a pair, whose bodies are decoded if `options.decode` is set
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
