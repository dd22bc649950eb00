/**
 * The text format: one line per pair, made for a person. Columns are aligned, and grow with what has been seen.
 *
 *   12:58:26.123  10.0.0.5:51234 → 10.0.0.9:8080  POST /users?id=1   200  877µs     7 →   512  json → json
 *
 * The time is local. The latency is the whole exchange, first byte of the request to last byte of the response, as
 * access logs have it. Sizes are the bodies' as sent, in units of 1024 like `ls -h`; types are the media types' short
 * names. On a terminal the target takes what is left of the line; where that is too little, other columns give way.
 * With `-v` heads and bodies follow, marked `>` and `<` as curl does.
 */
import pico from 'picocolors'
import { type Endpoint, type Message, mediaType, type Pair } from '../pair/pair.ts'
import type { FormatOptions, PairFormat } from './format.ts'
import { pairFormat } from './pair-format.ts'
import { columns, cut, pad, safe, wrap } from './terminal.ts'
import { bodyLines, headerLines } from './text-body.ts'

type Colours = ReturnType<typeof pico.createColors>
type Paint = (text: string) => string

/** A piece of a line: safe text, padded, with the colour it gets once the line has been cut. */
interface Cell {
  text: string
  paint: Paint
}

/** Narrower terminals are taken to have this many columns. */
const MIN_WIDTH = 20
/** Other columns give way until the target has this many. */
const MIN_TARGET = 20
/** What the target is filled up to where lines are not cut. */
const OPEN_TARGET = 36
/** Columns stop growing here; longer texts are cut on a terminal, and push the rest aside elsewhere. */
const MAX_ENDPOINT = 40
const MAX_METHOD = 9
const MAX_TYPES = 24

const GAP = '  '

/** Columns from first to last, the target aside, and the order in which they give way to it. */
const BEFORE_TARGET = ['time', 'client', 'server', 'method'] as const
const AFTER_TARGET = ['status', 'latency', 'sizes', 'types', 'flags'] as const
type Column = (typeof BEFORE_TARGET)[number] | (typeof AFTER_TARGET)[number]
const GIVE_WAY: readonly Column[] = ['types', 'sizes', 'client', 'time', 'latency', 'flags', 'server']

const twoDigits = (value: number): string => String(value).padStart(2, '0')

/** Local time of day, HH:MM:SS.mmm. */
function timeOfDay(micros: number): string {
  const date = new Date(Math.floor(micros / 1000))
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(twoDigits).join(':')
  return `${time}.${String(date.getMilliseconds()).padStart(3, '0')}`
}

/** A duration in at most 6 columns: `877µs`, `12.3ms`, `1.24s`, `75s`. */
export function duration(micros: number): string {
  if (micros < 1000) return `${Math.max(0, micros)}µs`
  const [value, unit] = micros < 1_000_000 ? [micros / 1000, 'ms'] : [micros / 1_000_000, 's']
  const digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0
  return value.toFixed(digits) + unit
}

/** A count of bytes in at most 4 columns: `512`, `1.4K`, `23K`, `1.0M`. */
export function size(bytes: number): string {
  if (bytes < 1000) return String(bytes)
  let value = bytes
  let unit = -1
  do {
    value /= 1024
    unit++
  } while (value >= 999.5 && unit < 4)
  return value.toFixed(value < 9.95 ? 1 : 0) + 'KMGTP'[unit]!
}

function endpoint(end: Endpoint): string {
  const host = end.pod === null ? end.address : `${end.pod.namespace}/${end.pod.name}`
  return safe(`${host.includes(':') ? `[${host}]` : host}:${end.port}`)
}

/** Short name of a message's media type: `json`, `form`, `html`, `problem+json`; `-` where it says none. */
function shortType(message: Message): string {
  const type = mediaType(message)
  if (type === 'application/x-www-form-urlencoded') return 'form'
  return safe(type.slice(type.indexOf('/') + 1).replace(/^(x-|vnd\.)/, '')) || '-'
}

function statusPaint(status: number, colours: Colours): Paint {
  if (status >= 500) return colours.red
  if (status >= 400) return colours.yellow
  return status >= 300 ? colours.cyan : colours.green
}

/** The line of a pair. Keeps the widths of its columns, which only grow, so that lines stay aligned. */
class PairLine {
  readonly #colours: Colours
  readonly #width: number | null
  readonly #widths: Record<Column, number> = {
    time: 12,
    client: 15,
    server: 15,
    method: 4,
    status: 3,
    latency: 6,
    sizes: 11,
    types: 11,
    flags: 0,
  }

  constructor(colours: Colours, width: number | null) {
    this.#colours = colours
    this.#width = width
  }

  lay(pair: Pair): string {
    const cells = this.#cells(pair)
    const target = safe(pair.request.target)
    const width = this.#width
    if (width === null) return this.#join(cells, pad(target, OPEN_TARGET), Number.POSITIVE_INFINITY)
    let left = width - this.#columnsBeside(cells)
    for (const column of GIVE_WAY) {
      if (left >= MIN_TARGET) break
      cells.delete(column)
      left = width - this.#columnsBeside(cells)
    }
    return this.#join(cells, pad(cut(target, left), left), width)
  }

  /** The cells beside the target, padded; empty ones left out. */
  #cells(pair: Pair): Map<Column, Cell> {
    const { request, response } = pair
    const { dim, bold, yellow } = this.#colours
    const plain: Paint = (text) => text
    const cells = new Map<Column, Cell>()
    const put = (column: Column, text: string, most: number, paint: Paint, side: 'left' | 'right' = 'right') => {
      const shown = this.#width === null ? text : cut(text, most)
      this.#widths[column] = Math.min(most, Math.max(this.#widths[column], columns(shown)))
      cells.set(column, { text: pad(shown, this.#widths[column], side), paint })
    }
    put('time', timeOfDay(pair.requestStartMicros), 12, dim)
    put('client', endpoint(pair.client), MAX_ENDPOINT, plain)
    put('server', `→ ${endpoint(pair.server)}`, MAX_ENDPOINT + 2, plain)
    put('method', safe(request.method), MAX_METHOD, bold)
    put('status', String(response.status), 3, statusPaint(response.status, this.#colours))
    put('latency', duration(pair.responseEndMicros - pair.requestStartMicros), 7, plain, 'left')
    put('sizes', `${size(request.bodySize).padStart(4)} → ${size(response.bodySize).padStart(4)}`, 11, plain)
    put('types', `${shortType(request)} → ${shortType(response)}`, MAX_TYPES, dim)
    if (pair.flags.length > 0) put('flags', safe(pair.flags.join(' ')), MAX_ENDPOINT, yellow)
    return cells
  }

  /** Columns of everything but the target, gaps included. */
  #columnsBeside(cells: Map<Column, Cell>): number {
    let sum = 0
    for (const cell of cells.values()) sum += columns(cell.text) + GAP.length
    return sum
  }

  #join(cells: Map<Column, Cell>, target: string, width: number): string {
    const at = (column: Column) => cells.get(column) ?? []
    const row = [
      ...BEFORE_TARGET.map(at),
      { text: target, paint: (text: string) => text },
      ...AFTER_TARGET.map(at),
    ].flat()
    row[row.length - 1]!.text = row[row.length - 1]!.text.trimEnd()
    let left = width
    let line = ''
    for (const [index, { text, paint }] of row.entries()) {
      const gap = index === 0 ? '' : GAP
      const shown = cut(text, left - gap.length)
      if (shown === '') break
      line += gap + paint(shown)
      left -= gap.length + columns(shown)
    }
    return line
  }
}

/** Head and body of a message, each line marked. */
function messageLines(
  message: Message,
  startLine: string,
  mark: string,
  width: number | null,
  colours: Colours,
): string {
  const room = width === null ? null : width - mark.length - 3
  const paintHeader: Paint = (text) => text.replace(/^[^:]+/, (name) => colours.cyan(name))
  const body = bodyLines(message)
  const lines: [text: string, paint: Paint][] = [
    [startLine, colours.bold],
    ...headerLines(message).map((text): [string, Paint] => [text, paintHeader]),
    ...(body.length === 0 ? [] : ['', ...body]).map((text): [string, Paint] => [text, (plain) => plain]),
  ]
  let out = ''
  for (const [text, paint] of lines) {
    for (const [index, piece] of wrap(safe(text), room).entries()) {
      out += `  ${colours.dim(mark)} ${index === 0 ? paint(piece) : piece}`.trimEnd()
      out += '\n'
    }
  }
  return out
}

export function textFormat(options: FormatOptions): PairFormat {
  const colours = pico.createColors(options.color)
  const width = options.width === null ? null : Math.max(MIN_WIDTH, options.width)
  const line = new PairLine(colours, width)
  return pairFormat(options, (pair) => {
    const first = `${line.lay(pair)}\n`
    if (!options.verbose) return first
    const { request, response } = pair
    const requestLine = `${request.method} ${request.target} HTTP/${request.httpVersion}`
    const statusLine = `HTTP/${response.httpVersion} ${response.status} ${response.reason}`
    return `${first}${messageLines(request, requestLine, '>', width, colours)}${messageLines(response, statusLine, '<', width, colours)}\n`
  })
}
