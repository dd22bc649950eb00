/**
 * Formats a pair as one line of aligned columns. A column grows to its widest value so far.
 *
 *   12:58:26.123  10.0.0.5:51234 →  10.0.0.9:8080  POST  /users?id=1   200   877µs     7 →  512  json → json
 *
 * The time is local. The latency covers the whole exchange, from the request's first byte to the response's last, as in
 * access logs. Sizes are those of the bodies as sent, types the short names of their media types. Flags end the line.
 * On a terminal the target fills the rest of the line; other columns are left out when that is too narrow.
 */
import type { createColors } from 'picocolors'
import { type Endpoint, type Message, mediaType, type Pair } from '../pair/pair.ts'
import { columns, cut, pad, safe } from './terminal.ts'
import { shortDuration, shortSize, timeOfDay } from './units.ts'

/** picocolors' functions; they return text unchanged when colour is off. */
export type Colors = ReturnType<typeof createColors>
/** Colours a text. */
export type Paint = (text: string) => string

/** The columns, in the order of the line. */
type Column = 'time' | 'client' | 'server' | 'method' | 'target' | 'status' | 'latency' | 'sizes' | 'types' | 'flags'

/** One column of one line: safe text, padded to its column's width. */
interface Cell {
  readonly column: Column
  readonly text: string
  /** Columns of `text`. */
  readonly width: number
  /** Colours the text once it has been cut. */
  readonly paint: Paint
}

/** Columns are left out in this order until the target has MIN_TARGET columns. */
const LEFT_OUT_FIRST: readonly Column[] = ['types', 'sizes', 'client', 'time', 'latency', 'flags', 'server', 'method']
const MIN_TARGET = 20
const GAP = 2

/** Initial and largest width of each column. On a terminal longer texts are truncated. */
const FIRST_WIDTHS: Record<Column, number> = {
  time: 12,
  client: 17,
  server: 15,
  method: 7,
  target: 36,
  status: 3,
  latency: 6,
  sizes: 11,
  types: 11,
  flags: 0,
}
const MOST_WIDTHS: Record<Column, number> = {
  ...FIRST_WIDTHS,
  client: 42,
  server: 40,
  method: 9,
  latency: 8,
  types: 24,
  flags: 40,
}

const plain: Paint = (text) => text

/** The pod and port; `~` marks a name that the API server has not confirmed. Without a name, address and port. */
function endpoint(end: Endpoint): string {
  const { name = null, namespace = null } = end.pod ?? {}
  if (name !== null) return safe(`${namespace === null ? '~' : `${namespace}/`}${name}:${end.port}`)
  return safe(end.address.includes(':') ? `[${end.address}]:${end.port}` : `${end.address}:${end.port}`)
}

/** Short name of a message's media type: `json`, `form`, `html`, `problem+json`; `-` if it has none. */
function shortType(message: Message): string {
  const type = mediaType(message)
  if (type === 'application/x-www-form-urlencoded') return 'form'
  return safe(type.slice(type.indexOf('/') + 1)) || '-'
}

/** Formats the lines of one output. Remembers column widths, so that lines stay aligned. */
export class PairLine {
  readonly #colors: Colors
  readonly #width: number | null
  readonly #widths: Record<Column, number> = { ...FIRST_WIDTHS }

  /** @param width  most columns of a line; null: no limit */
  constructor(colors: Colors, width: number | null) {
    this.#colors = colors
    this.#width = width
  }

  /** @returns the line without a line break */
  format(pair: Pair): string {
    const cells = this.#cells(pair)
    const target = safe(pair.request.target)
    if (this.#width === null) return this.#join(cells, this.#cell('target', target, plain))
    let left = this.#width - widthOf(cells)
    let shown = cells
    for (const column of LEFT_OUT_FIRST) {
      if (left >= MIN_TARGET) break
      shown = shown.filter((cell) => cell.column !== column)
      left = this.#width - widthOf(shown)
    }
    return this.#join(shown, { column: 'target', text: pad(cut(target, left), left), width: left, paint: plain })
  }

  /** All columns but the target, in order. */
  #cells(pair: Pair): Cell[] {
    const { request, response, flags } = pair
    const { dim, bold, yellow } = this.#colors
    const cells = [
      this.#cell('time', timeOfDay(pair.requestStartMicros), dim),
      this.#cell('client', endpoint(pair.client), plain, ' →'),
      this.#cell('server', endpoint(pair.server), plain),
      this.#cell('method', safe(request.method), bold),
      this.#cell('status', String(response.status), this.#statusPaint(response.status)),
      this.#cell('latency', shortDuration(pair.responseEndMicros - pair.requestStartMicros).padStart(6), plain),
      this.#cell(
        'sizes',
        `${shortSize(request.bodySize).padStart(4)} → ${shortSize(response.bodySize).padStart(4)}`,
        plain,
      ),
      this.#cell('types', `${shortType(request)} → ${shortType(response)}`, dim),
    ]
    if (flags.length > 0) cells.push(this.#cell('flags', safe(flags.join(' ')), yellow))
    return cells
  }

  /** @param suffix  text at the right edge of the column */
  #cell(column: Column, text: string, paint: Paint, suffix = ''): Cell {
    const most = MOST_WIDTHS[column] - suffix.length
    const shown = this.#width === null ? text : cut(text, most)
    const width = columns(shown)
    const filled = Math.max(Math.min(most, width), this.#widths[column] - suffix.length)
    this.#widths[column] = filled + suffix.length
    const padding = ' '.repeat(Math.max(0, filled - width))
    return { column, text: shown + padding + suffix, width: width + padding.length + suffix.length, paint }
  }

  #join(cells: readonly Cell[], target: Cell): string {
    let line = ''
    const last = cells.at(-1)
    for (const cell of cells) {
      if (cell.column === 'status') line += target.text + ' '.repeat(GAP)
      line += cell === last ? cell.paint(cell.text.trimEnd()) : cell.paint(cell.text) + ' '.repeat(GAP)
    }
    return line
  }

  #statusPaint(status: number): Paint {
    if (status >= 500) return this.#colors.red
    if (status >= 400) return this.#colors.yellow
    return status >= 300 ? this.#colors.cyan : this.#colors.green
  }
}

/** Width of the cells, each followed by a gap. */
const widthOf = (cells: readonly Cell[]): number => cells.reduce((sum, cell) => sum + cell.width + GAP, 0)
