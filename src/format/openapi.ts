/** Formats one OpenAPI document in place of pairs (`interceptor openapi`). It is written at the end. */
import { OpenApiDocument } from '../openapi/document.ts'
import type { FormatOptions, PairFormat } from './output-format.ts'
import { pairFormat } from './pair-format.ts'

/** `-o openapi`. */
export function openapiFormat(options: FormatOptions): PairFormat {
  const document = new OpenApiDocument({ version: options.version, examples: options.examples === true })
  return {
    ...pairFormat(options, (pair) => {
      document.add(pair)
      return ''
    }),
    end: () => `${JSON.stringify(document.toJson(), null, 2)}\n`,
  }
}
