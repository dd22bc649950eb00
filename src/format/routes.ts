/**
 * Formats a table of routes in place of pairs (`interceptor top`). On a terminal it is drawn once a second, and at once
 * when a key changes it; the final table is printed at the end.
 */
import pico from 'picocolors'
import { GROUPINGS, type Grouping } from '../routes/route-names.ts'
import type { RouteRow } from '../routes/route-row.ts'
import { OTHER, QUANTILE_ERROR, RouteTable } from '../routes/route-table.ts'
import type { FormatOptions, PairFormat, TopOptions } from './output-format.ts'
import { pairFormat } from './pair-format.ts'
import { columns, cut, pad, safe } from './terminal.ts'
import { TopView } from './top-view.ts'
import { shortDuration, shortSize } from './units.ts'

const REDRAW_MS = 1000
/** Cursor home; erase what is left of a line; erase what follows. */
const HOME = '\x1b[H'
const REST_OF_LINE = '\x1b[K'
const BELOW = '\x1b[J'
/** Lines around a drawn table: what it shows, headings, and keys. */
const OTHER_LINES = 3
const GAP = '  '

/** `-o routes`. */
export function routesFormat(options: FormatOptions): PairFormat {
  const top = options.top ?? { by: 'route', sort: 'requests', json: false, view: null }
  return top.view === null ? printedTable(top, options) : drawnTable(new TopView(top.view), options)
}

/** A table that is printed once, at the end. */
function printedTable(top: TopOptions, options: FormatOptions): PairFormat {
  const table = new RouteTable(top.by)
  let notShown = 0
  return {
    ...pairFormat({ decode: false }, (pair) => {
      table.add(pair)
      return ''
    }),
    notShown(pairs) {
      notShown += pairs
    },
    end: () => (top.json ? tableJson(table, top, notShown) : tableText(table, top, { ...options, notShown })),
  }
}

/** A table that is redrawn as pairs arrive and as keys change the view, and is printed at the end. */
function drawnTable(view: TopView, options: FormatOptions): PairFormat {
  // Every grouping is counted from the start, so that switching to one shows earlier pairs, too.
  const tables = new Map(GROUPINGS.map((by) => [by, new RouteTable(by)]))
  let notShown = 0
  let drawnMs = Number.NEGATIVE_INFINITY
  let drawnChanges = -1
  const table = (): RouteTable => tables.get(view.by) ?? new RouteTable(view.by)
  const draw = (): string => {
    const nowMs = performance.now()
    const isDue = !view.paused && nowMs - drawnMs >= REDRAW_MS
    if (!isDue && view.changes === drawnChanges) return ''
    drawnMs = nowMs
    drawnChanges = view.changes
    const part = { ...options, notShown, width: view.columns, lines: view.rows - OTHER_LINES, filter: view.filter }
    const text = `${viewLine(view)}\n${tableText(table(), view, part)}${cut(KEYS, view.columns)}`
    const lines = text.split('\n').slice(0, view.rows)
    return `${HOME}${lines.join(`${REST_OF_LINE}\n`)}${REST_OF_LINE}${BELOW}`
  }
  return {
    ...pairFormat({ decode: false }, (pair) => {
      for (const each of tables.values()) each.add(pair)
      return draw()
    }),
    tick: draw,
    notShown(pairs) {
      notShown += pairs
    },
    end() {
      const all = { ...options, notShown, width: view.columns, filter: view.filter }
      return `${HOME}${BELOW}${tableText(table(), view, all)}`
    },
  }
}

const KEYS = 'g group  s sort  / filter  p pause  q quit'

function viewLine({ by, sort, filter, paused, columns: width }: TopView): string {
  const parts = [`by ${by}`, `sorted by ${sort}`, ...(filter === '' ? [] : [`filter: ${safe(filter)}`])]
  return cut([...parts, ...(paused ? ['paused'] : [])].join(' · '), width)
}

/** Numbers as people read them in JSON: three decimals. */
const rounded = (value: number): number => Math.round(value * 1000) / 1000

function tableJson(table: RouteTable, { by, sort }: TopOptions, notShown: number): string {
  const rows = table.rows(sort).map((row) => ({
    ...row,
    perSecond: rounded(row.perSecond),
    p50Ms: rounded(row.p50Ms),
    p95Ms: rounded(row.p95Ms),
    p99Ms: rounded(row.p99Ms),
    maxMs: rounded(row.maxMs),
  }))
  return `${JSON.stringify({ by, seconds: rounded(table.seconds), quantileError: QUANTILE_ERROR, notShown, rows }, null, 2)}\n`
}

interface TableOptions extends Pick<FormatOptions, 'color' | 'width'> {
  notShown: number
  /** Most lines below the headings; absent: no limit. */
  lines?: number
  /** Text that groups must contain, ignoring case. */
  filter?: string
}

function tableText(table: RouteTable, { by, sort }: Pick<TopOptions, 'by' | 'sort'>, options: TableOptions): string {
  const { color, width, notShown, lines: most = Number.POSITIVE_INFINITY, filter = '' } = options
  const { bold, red, yellow } = pico.createColors(color)
  const every = table.rows(sort)
  const all = every.filter(({ group }) => group.toLowerCase().includes(filter.toLowerCase()))
  const notes = [...otherNote(every), ...notShownNote(notShown)]
  const room = Math.max(1, most - notes.length)
  const rows = all.slice(0, all.length > room ? Math.max(1, room - 1) : room)
  if (rows.length < all.length) notes.unshift(`… ${all.length - rows.length} more`)
  const paint = ({ clientErrors, serverErrors }: RouteRow): ((text: string) => string) =>
    serverErrors > 0 ? red : clientErrors > 0 ? yellow : String
  const [heading, ...lines] = aligned(by, rows, width)
  const painted = [bold(heading), ...lines.map((line, index) => paint(rows[index])(line))]
  return `${[...painted, ...notes.map((note) => (width === null ? note : cut(note, width)))].join('\n')}\n`
}

/** Rows below the last that has a name. They are in the row `other`, which a terminal may have no room for. */
function otherNote(rows: readonly RouteRow[]): string[] {
  const last = rows.at(-1)
  if (last?.group !== OTHER) return []
  return [
    `${rows.length - 1} groups have a row of their own; ${last.requests} requests of further ones are in ${OTHER}`,
  ]
}

const notShownNote = (pairs: number): string[] =>
  pairs > 0 ? [`${pairs} pairs are not counted: they arrived faster than this program read them`] : []

/** The headings and the rows, in columns. Those that leave the groups' names too little room are left out. */
function aligned(by: Grouping, rows: readonly RouteRow[], width: number | null): string[] {
  const names = [TITLES[by], ...rows.map(({ group }) => safe(group))]
  const texts = COLUMNS.map(({ heading, text }) => [heading, ...rows.map(text)])
  const widths = texts.map((column) => Math.max(...column.map(columns)))
  const room = Math.min(LEAST_NAME, Math.max(...names.map(columns)))
  const shown = new Set(COLUMNS.keys())
  const isTooWide = (): boolean =>
    width !== null && [...shown].reduce((sum, column) => sum + widths[column] + GAP.length, room) > width
  for (const heading of LEFT_OUT_FIRST) {
    if (!isTooWide()) break
    shown.delete(COLUMNS.findIndex((column) => column.heading === heading))
  }
  return names.map((name, row) => {
    const numbers = [...shown].map((column) => pad(texts[column][row], widths[column], 'left'))
    const line = [...numbers, name].join(GAP)
    return width === null ? line : cut(line, width)
  })
}

/** Columns that the name of a group has at least, if it needs them. */
const LEAST_NAME = 32
const LEFT_OUT_FIRST = ['IN', 'OUT', 'MAX', 'P95', '4XX', 'REQ/S', 'P50', '5XX', 'P99']

const TITLES: Readonly<Record<Grouping, string>> = {
  route: 'ROUTE AND SERVER',
  workload: 'SERVER',
  status: 'STATUS',
  client: 'CLIENT',
  host: 'HOST',
}

const ms = (value: number): string => shortDuration(Math.round(value * 1000))

const COLUMNS: readonly { heading: string; text: (row: RouteRow) => string }[] = [
  { heading: 'REQS', text: (row) => String(row.requests) },
  { heading: 'REQ/S', text: (row) => row.perSecond.toFixed(1) },
  { heading: '4XX', text: (row) => String(row.clientErrors) },
  { heading: '5XX', text: (row) => String(row.serverErrors) },
  { heading: 'P50', text: (row) => ms(row.p50Ms) },
  { heading: 'P95', text: (row) => ms(row.p95Ms) },
  { heading: 'P99', text: (row) => ms(row.p99Ms) },
  { heading: 'MAX', text: (row) => ms(row.maxMs) },
  { heading: 'IN', text: (row) => shortSize(row.requestBytes) },
  { heading: 'OUT', text: (row) => shortSize(row.responseBytes) },
]
