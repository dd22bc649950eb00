/** Formats chosen fields of pairs as columns: aligned for people (`-o text --fields`), or separated by tabs (`-o tsv`). */
import { fieldReader, USUAL_FIELDS } from '../select/fields.ts'
import type { FormatOptions, PairFormat } from './output-format.ts'
import { pairFormat } from './pair-format.ts'
import { columns, cut, pad, safe } from './terminal.ts'

/** A column grows to its widest value so far, up to this many columns. */
const MOST_WIDTH = 60
const GAP = '  '

/** `-o text --fields`: a line per pair; an empty field is `-`. */
export function alignedFields(names: readonly string[], options: FormatOptions): PairFormat {
  const read = fieldReader(names)
  const widths = names.map(() => 0)
  return pairFormat(options, (pair) => {
    const cells = read(pair).map((text, index) => {
      const shown = safe(text) || '-'
      widths[index] = Math.max(widths[index], Math.min(MOST_WIDTH, columns(shown)))
      return pad(shown, widths[index])
    })
    const line = cells.join(GAP).trimEnd()
    return `${options.width === null ? line : cut(line, options.width)}\n`
  })
}

/** `-o tsv`: a line of names, then a line per pair. */
export function tsvFormat(options: FormatOptions): PairFormat {
  const names = options.fields ?? USUAL_FIELDS
  const read = fieldReader(names)
  const line = (texts: readonly string[]): string => `${texts.map(escaped).join('\t')}\n`
  return {
    ...pairFormat(options, (pair) => line(read(pair))),
    begin: () => line(names),
    // The heading was written by the instance before.
    resume: () => {},
  }
}

const ESCAPES: Readonly<Record<string, string>> = { '\t': '\\t', '\n': '\\n', '\r': '\\r', '\\': '\\\\' }

/** Control characters of the wire reach neither a terminal nor the columns. */
const escaped = (text: string): string => safe(text.replace(/[\t\n\r\\]/g, (character) => ESCAPES[character]))
