/**
 * Formats a table of routes in place of pairs (`interceptor top`). On a terminal it is drawn once a second, and at once
 * when a key changes it; the final table is printed at the end.
 */
import pico from 'picocolors'
import { GROUPINGS, type Grouping } from '../routes/route-names.ts'
import type { RouteRow } from '../routes/route-row.ts'
import { QUANTILE_ERROR, RouteTable } from '../routes/route-table.ts'
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
/** Lines around the rows of a drawn table: what it shows, headings, notes and keys. */
const OTHER_LINES = 5
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

/** A table that is drawn again and again, as pairs arrive and as keys change the view; printed at the end. */
function drawnTable(view: TopView, options: FormatOptions): PairFormat {
  // Whatever the pairs are grouped by next, earlier ones count.
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
    const part = { ...options, notShown, width: view.columns, rows: view.rows - OTHER_LINES, filter: view.filter }
    const text = `${viewLine(view)}\n${tableText(table(), view, part)}${cut(KEYS, view.columns)}`
    return `${HOME}${text.replaceAll('\n', `${REST_OF_LINE}\n`)}${REST_OF_LINE}${BELOW}`
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

const HEADINGS = ['REQS', 'REQ/S', '4XX', '5XX', 'P50', 'P95', 'P99', 'MAX', 'IN', 'OUT']

interface TableOptions extends Pick<FormatOptions, 'color' | 'width'> {
  notShown: number
  /** Most rows; absent: all. */
  rows?: number
  /** Text that groups must contain, ignoring case. */
  filter?: string
}

function tableText(table: RouteTable, { by, sort }: Pick<TopOptions, 'by' | 'sort'>, options: TableOptions): string {
  const { color, width, notShown, rows: most = Number.POSITIVE_INFINITY, filter = '' } = options
  const { bold, red, yellow } = pico.createColors(color)
  const all = table.rows(sort).filter(({ group }) => group.toLowerCase().includes(filter.toLowerCase()))
  const rows = all.slice(0, Math.max(1, most))
  const cells = [[...HEADINGS, TITLES[by]], ...rows.map(cellsOf)]
  const widths = HEADINGS.map((_, index) => Math.max(...cells.map((row) => columns(row[index]))))
  const lines = cells.map((row) => {
    const numbers = widths.map((most, index) => pad(row[index], most, 'left')).join(GAP)
    const line = `${numbers}${GAP}${row[HEADINGS.length]}`
    return width === null ? line : cut(line, width)
  })
  const painted = lines.map((line, index) => {
    if (index === 0) return bold(line)
    const { clientErrors, serverErrors } = rows[index - 1]
    return serverErrors > 0 ? red(line) : clientErrors > 0 ? yellow(line) : line
  })
  const hidden = all.length - rows.length
  const notes = [
    ...(hidden > 0 ? [`… ${hidden} more`] : []),
    ...(notShown > 0 ? [`${notShown} pairs are not counted: they arrived faster than this program read them`] : []),
  ]
  return `${[...painted, ...notes.map((note) => (width === null ? note : cut(note, width)))].join('\n')}\n`
}

const TITLES: Readonly<Record<Grouping, string>> = {
  route: 'ROUTE AND SERVER',
  workload: 'SERVER',
  status: 'STATUS',
  client: 'CLIENT',
  host: 'HOST',
}

const ms = (value: number): string => shortDuration(Math.round(value * 1000))

const cellsOf = (row: RouteRow): string[] => [
  String(row.requests),
  row.perSecond.toFixed(1),
  String(row.clientErrors),
  String(row.serverErrors),
  ms(row.p50Ms),
  ms(row.p95Ms),
  ms(row.p99Ms),
  ms(row.maxMs),
  shortSize(row.requestBytes),
  shortSize(row.responseBytes),
  safe(row.group),
]
