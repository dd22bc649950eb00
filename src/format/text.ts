/**
 * The text format: one line per pair (pair-line.ts), with `-v` followed by heads and bodies, marked `>` and `<` as curl
 * marks them. All text from the wire is escaped.
 */
import pico from 'picocolors'
import type { Message, Pair } from '../pair/pair.ts'
import type { FormatOptions, PairFormat } from './output-format.ts'
import { pairFormat } from './pair-format.ts'
import { type Colors, type Paint, PairLine } from './pair-line.ts'
import { safe, wrap } from './terminal.ts'
import { bodyLines, headerLines } from './text-body.ts'

/** Lines are formatted for at least this many columns. */
const MIN_WIDTH = 30

/** Heads and bodies of a pair in lines of at most `width` columns. */
function details(pair: Pair, width: number | null, colors: Colors): string {
  const { request, response } = pair
  const requestLine = `${request.method} ${request.target} HTTP/${request.httpVersion}`
  const statusLine = `HTTP/${response.httpVersion} ${response.status} ${response.reason}`
  return messageText(request, requestLine, '>', width, colors) + messageText(response, statusLine, '<', width, colors)
}

function messageText(message: Message, startLine: string, mark: string, width: number | null, colors: Colors): string {
  const margin = `  ${colors.dim(mark)} `
  const room = width === null ? null : width - 4
  let text = ''
  const put = (line: string, paint?: Paint) => {
    const [first = '', ...more] = wrap(safe(line), room)
    text += `${margin}${paint === undefined ? first : paint(first)}\n`
    for (const piece of more) text += `${margin}${piece}\n`
  }
  put(startLine, colors.bold)
  for (const line of headerLines(message)) put(line, (shown) => shown.replace(/^[^:]+/, colors.cyan))
  const body = bodyLines(message)
  if (body.length > 0) put('')
  for (const line of body) put(line)
  return text
}

/** `-o text`. */
export function textFormat(options: FormatOptions): PairFormat {
  const colors = pico.createColors(options.color)
  const width = options.width === null ? null : Math.max(MIN_WIDTH, options.width)
  const line = new PairLine(colors, width)
  return pairFormat(options, (pair) =>
    options.verbose ? `${line.format(pair)}\n${details(pair, width, colors)}\n` : `${line.format(pair)}\n`,
  )
}
