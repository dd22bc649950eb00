/**
 * Formats a table of routes in place of pairs (`interceptor top`). On a terminal it is redrawn at most once a second while
 * pairs arrive; the final table comes at the end.
 */
import pico from 'picocolors'
import type { Grouping } from '../routes/route-names.ts'
import { QUANTILE_ERROR, type RouteRow, RouteTable } from '../routes/route-table.ts'
import type { FormatOptions, PairFormat, TopOptions } from './output-format.ts'
import { pairFormat } from './pair-format.ts'
import { columns, cut, pad, safe } from './terminal.ts'
import { shortDuration, shortSize } from './units.ts'

const REDRAW_MS = 1000
/** Cursor home, and erase what follows. */
const CLEAR = '\x1b[H\x1b[2J'
const GAP = '  '

/** `-o routes`. */
export function routesFormat(options: FormatOptions): PairFormat {
  const top = options.top ?? { by: 'route', sort: 'requests', json: false, redraw: false, rows: null }
  const table = new RouteTable(top.by)
  let drawnMs = Number.NEGATIVE_INFINITY
  let notShown = 0
  const format = pairFormat({ decode: false }, (pair) => {
    table.add(pair)
    const nowMs = performance.now()
    if (!top.redraw || nowMs - drawnMs < REDRAW_MS) return ''
    drawnMs = nowMs
    return CLEAR + tableText(table, top, options, notShown)
  })
  return {
    ...format,
    notShown(pairs) {
      notShown += pairs
    },
    end: () =>
      top.json
        ? tableJson(table, top, notShown)
        : (top.redraw ? CLEAR : '') + tableText(table, { ...top, rows: null }, options, notShown),
  }
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

function tableText(table: RouteTable, top: TopOptions, { color, width }: FormatOptions, notShown: number): string {
  const { bold, red, yellow } = pico.createColors(color)
  const all = table.rows(top.sort)
  const rows = top.rows === null ? all : all.slice(0, top.rows)
  const cells = [[...HEADINGS, TITLES[top.by]], ...rows.map(cellsOf)]
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
    ...(notShown > 0 ? [`${notShown} pairs are not counted: they came faster than this program read them`] : []),
  ]
  return `${[...painted, ...notes].join('\n')}\n`
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
