/** Formats pairs in the JSON form, one per line: as lines (ndjson) or as the elements of an array (json). */
import { JsonEncoder } from '../pair/to-json.ts'
import type { FormatOptions, PairFormat } from './output-format.ts'

const NOTHING = Buffer.alloc(0)
const LINE_END = Buffer.from('\n')
const SEPARATOR = Buffer.from(',\n')

/** `-o ndjson`. */
export function ndjsonFormat({ decode }: FormatOptions): PairFormat {
  const encoder = new JsonEncoder(decode)
  return {
    begin: () => '',
    pair: (raw) => encoder.encode(raw, NOTHING, LINE_END),
    end: () => '',
  }
}

/** `-o json`. */
export function jsonFormat({ decode }: FormatOptions): PairFormat {
  const encoder = new JsonEncoder(decode)
  let before = LINE_END
  return {
    begin: () => '[',
    resume(hasPairs) {
      if (hasPairs) before = SEPARATOR
    },
    pair(raw) {
      const json = encoder.encode(raw, before)
      if (!(json instanceof Error)) before = SEPARATOR
      return json
    },
    end: () => '\n]\n',
  }
}
