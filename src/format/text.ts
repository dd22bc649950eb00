/**
 * The text format: one line per pair (pair-line.ts), with `-v` followed by heads and bodies, marked `>` and `<` as curl
 * marks them. All text from the wire is escaped.
 */

import pico from 'picocolors'
import type { Message, Pair } from '../pair/pair.ts'
import { formatBody } from './body-lines.ts'
import type { SourceLine } from './indent-json.ts'
import type { FormatOptions, PairFormat } from './output-format.ts'
import { pairFormat } from './pair-format.ts'
import { type Colors, type Paint, PairLine } from './pair-line.ts'
import { safe, safeRows } from './terminal.ts'
import { dayOf, grouped } from './units.ts'

/** Lines are formatted for at least this many columns. */
const MIN_WIDTH = 30

/** The mark and the spaces around it. */
const MARGIN = 4

/** Rows of a body that are printed by default: of text, and of a dump of bytes. */
const TEXT_ROWS = 100
const DUMP_ROWS = 4

/** A text, and whether a colon follows it; or a number, true, false or null. */
const JSON_TOKEN = /("(?:[^"\\]|\\.)*")(:)?|-?\d[\d.eE+-]*|true|false|null/g

/** Columns of a row without a terminal. Longer lines are not broken there, but count as several rows. */
const COLUMNS_WITHOUT_TERMINAL = 200

/** `-o text`. */
export function textFormat(options: FormatOptions): PairFormat {
  const colors = pico.createColors(options.color)
  const width = options.width === null ? null : Math.max(MIN_WIDTH, options.width)
  const line = new PairLine(colors, width)
  const details = new Details(colors, width, options.bodyRows)
  const day = new DayLine(colors)
  return pairFormat(options, (pair) => {
    const shown = `${day.before(pair)}${line.format(pair)}\n`
    return options.verbose ? `${shown}${details.format(pair)}\n` : shown
  })
}

/** A line with the date, once a pair is of a later day than those before it. */
class DayLine {
  readonly #colors: Colors
  #day: string | null = null

  constructor(colors: Colors) {
    this.#colors = colors
  }

  /** @returns the line, or nothing */
  before({ requestStartMicros }: Pair): string {
    const day = dayOf(requestStartMicros)
    // Pairs are in the order of their responses: one that began before midnight may come after one of the new day.
    if (this.#day !== null && day <= this.#day) return ''
    const isFirst = this.#day === null
    this.#day = day
    return isFirst ? '' : this.#colors.dim(`-- ${day} --\n`)
  }
}

const plain: Paint = (text) => text

/** Formats the heads and bodies of pairs. */
class Details {
  readonly #colors: Colors
  readonly #bodyRows: number | undefined
  readonly #breaksLines: boolean
  readonly #columns: number

  /** @param width  columns of the terminal; null: lines are not broken */
  constructor(colors: Colors, width: number | null, bodyRows: number | undefined) {
    this.#colors = colors
    this.#bodyRows = bodyRows
    this.#breaksLines = width !== null
    this.#columns = width === null ? COLUMNS_WITHOUT_TERMINAL : width - MARGIN
  }

  format({ request, response }: Pair): string {
    const requestLine = `${request.method} ${request.target} HTTP/${request.httpVersion}`
    const statusLine = `HTTP/${response.httpVersion} ${response.status} ${response.reason}`
    return this.#message(request, requestLine, '>') + this.#message(response, statusLine, '<')
  }

  #message(message: Message, startLine: string, mark: string): string {
    const { bold, cyan, dim } = this.#colors
    const lines = this.#line(startLine, bold)
    for (const [name, value] of message.headers) {
      lines.push(...this.#line(`${name}: ${value}`, (shown) => shown.replace(/^[^:]+/, cyan)))
    }
    lines.push(...this.#body(message))
    return lines.map((line) => `  ${dim(mark)} ${line}\n`).join('')
  }

  /** @param paint  colours the first row */
  #line(text: string, paint: Paint): string[] {
    if (!this.#breaksLines) return [paint(safe(text))]
    const [first = '', ...more] = Array.from(safeRows(text, this.#columns), (row) => row.text)
    return [paint(first), ...more]
  }

  /** An empty line, the body up to the limit, and what is left out of it. */
  #body(message: Message): string[] {
    const body = formatBody(message)
    if (body === null) return []
    const title = body.title === null ? [] : this.#line(body.title, plain)
    const paint = body.isJson ? this.#paintJson : plain
    const { rows, end } = this.#limited(body.lines, this.#bodyRows ?? (body.isDump ? DUMP_ROWS : TEXT_ROWS), paint)
    const rest = end === null ? 0 : body.bytesAfter(end)
    const note = rest === 0 ? [] : this.#line(`… ${grouped(rest)} more bytes (--body all prints them)`, plain)
    return ['', ...title, ...rows, ...note]
  }

  /** Colours names, texts and other values of one whole line of JSON. */
  #paintJson = (line: string): string => {
    const { cyan, green, yellow } = this.#colors
    return line.replace(JSON_TOKEN, (token, text: string | undefined, colon: string | undefined) => {
      if (text === undefined) return yellow(token)
      return colon === undefined ? green(text) : cyan(text) + colon
    })
  }

  /** @param paint colours a line that fits into a row @returns at most `most` rows, and where in the source they end; null: at its end */
  #limited(lines: Iterable<SourceLine>, most: number, paint: Paint): { rows: string[]; end: number | null } {
    const rows: string[] = []
    let left = most
    let end = 0
    for (const line of lines) {
      if (left === 0) return { rows, end }
      const { texts, length } = take(line.text, this.#columns, left)
      if (texts.length === 1 || !this.#breaksLines) rows.push(paint(texts.join('')))
      else rows.push(...texts)
      left -= texts.length
      // The end of a line is the same in the source, except that tabs and decoded fields have another length there.
      end = line.end - (line.text.length - length)
      if (length < line.text.length) return { rows, end }
    }
    return { rows, end: null }
  }
}

/** The first rows of a line, at most `most`, and the length of the line that they show. */
function take(line: string, columns: number, most: number): { texts: string[]; length: number } {
  const texts: string[] = []
  let length = 0
  for (const row of safeRows(line, columns)) {
    if (texts.length === most) break
    texts.push(row.text)
    length = row.end
  }
  return { texts, length }
}
