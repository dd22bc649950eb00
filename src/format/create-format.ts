/** Creates an output format by its name. */
import { packPair } from '../pair/unpack.ts'
import { harFormat } from './har.ts'
import { jsonFormat, ndjsonFormat } from './json.ts'
import type { FormatOptions, OutputFormat, PairFormat } from './output-format.ts'
import { pairFormat } from './pair-format.ts'
import { textFormat } from './text.ts'

/** @param name  a value of `-o` */
export function createFormat(name: OutputFormat, options: FormatOptions): PairFormat {
  switch (name) {
    case 'text':
      return textFormat(options)
    case 'ndjson':
      return ndjsonFormat(options)
    case 'json':
      return jsonFormat(options)
    case 'har':
      return harFormat(options)
    case 'msgpack':
      return options.decode ? pairFormat(options, packPair) : { begin: () => '', pair: (raw) => raw, end: () => '' }
    case 'none':
      return { begin: () => '', pair: () => '', end: () => '' }
  }
}
