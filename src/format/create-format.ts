/** Creates an output format by its name. */
import { packPair } from '../pair/unpack.ts'
import { curlFormat } from './curl.ts'
import { alignedFields, tsvFormat } from './fields.ts'
import { harFormat } from './har.ts'
import { jsonFormat, ndjsonFormat } from './json.ts'
import { openapiFormat } from './openapi.ts'
import type { FormatOptions, OutputFormat, PairFormat } from './output-format.ts'
import { pairFormat } from './pair-format.ts'
import { routesFormat } from './routes.ts'
import { textFormat } from './text.ts'

/** @param name  a value of `-o` */
export function createFormat(name: OutputFormat, options: FormatOptions): PairFormat {
  switch (name) {
    case 'text':
      return options.fields === undefined ? textFormat(options) : alignedFields(options.fields, options)
    case 'ndjson':
      return ndjsonFormat(options)
    case 'json':
      return jsonFormat(options)
    case 'tsv':
      return tsvFormat(options)
    case 'curl':
      return curlFormat(options)
    case 'har':
      return harFormat(options)
    case 'msgpack':
      return options.decode ? pairFormat(options, packPair) : { begin: () => '', pair: (raw) => raw, end: () => '' }
    case 'routes':
      return routesFormat(options)
    case 'openapi':
      return openapiFormat(options)
    case 'none':
      return { begin: () => '', pair: () => '', end: () => '' }
  }
}
