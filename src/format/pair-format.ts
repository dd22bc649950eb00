/** What the formats that need a pair as an object have in common. */
import { decodeBodies } from '../pair/decode-body.ts'
import type { Pair } from '../pair/pair.ts'
import { readPair } from '../pair/unpack.ts'
import type { FormatOptions, PairFormat } from './format.ts'

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

/**
 * The pieces of another format as the elements of a JSON list, one a line.
 *
 * @param head,tail the document's text before the first and after the last element
 */
export function listFormat(elements: PairFormat, head: string, tail: string): PairFormat {
  let separator = '\n'
  return {
    begin: () => head,
    pair(raw) {
      const element = elements.pair(raw)
      if (element instanceof Error) return element
      const text = separator + (typeof element === 'string' ? element : Buffer.from(element).toString())
      separator = ',\n'
      return text
    },
    end: () => `\n${tail}`,
  }
}
