/** The table of `interceptor top`, with a chart of each row's requests over time. */
import { useState } from 'preact/hooks'
import { GROUPINGS, type Grouping, type SortKey } from '../../routes/route-names.ts'
import type { RouteHistory } from '../../routes/route-row.ts'
import type { RoutesView } from '../protocol.ts'
import { FilterBar, scopeText } from './filter-bar.tsx'
import { type Filter, narrowTo } from './location.ts'
import { NoData, NoPairs } from './no-pairs.tsx'
import { useFilteredPoll } from './poll.ts'
import { counted, grouped, rate, shortDuration, shortSize } from './texts.ts'

/** The last row, if there are more groups than rows. */
const OTHER = 'other'
/** Rows that are shown at first: thousands would delay the page, and few people read them. */
const STEP = 200

const TITLES: Readonly<Record<Grouping, string>> = {
  route: 'Route and server',
  workload: 'Server',
  status: 'Status',
  client: 'Client',
  host: 'Host',
}

interface Column {
  readonly title: string
  readonly sort: SortKey | null
  readonly text: (row: RouteHistory) => string
  readonly tone?: (row: RouteHistory) => string
}

const ms = (value: number): string => shortDuration(Math.round(value * 1000))

const COLUMNS: readonly Column[] = [
  { title: 'Requests', sort: 'requests', text: (row) => grouped(row.requests) },
  { title: 'Rate', sort: null, text: (row) => `${rate(row.perSecond)}/s` },
  {
    title: '4xx',
    sort: 'errors',
    text: (row) => grouped(row.clientErrors),
    tone: (row) => (row.clientErrors > 0 ? 'warn' : 'muted'),
  },
  {
    title: '5xx',
    sort: null,
    text: (row) => grouped(row.serverErrors),
    tone: (row) => (row.serverErrors > 0 ? 'bad' : 'muted'),
  },
  { title: 'p50', sort: 'p50', text: (row) => ms(row.p50Ms) },
  { title: 'p95', sort: 'p95', text: (row) => ms(row.p95Ms) },
  { title: 'p99', sort: 'p99', text: (row) => ms(row.p99Ms) },
  { title: 'Max', sort: null, text: (row) => ms(row.maxMs) },
  { title: 'In', sort: null, text: (row) => shortSize(row.requestBytes) },
  { title: 'Out', sort: 'bytes', text: (row) => shortSize(row.responseBytes) },
]

/** The view of endpoints. */
export function EndpointsView() {
  return (
    <>
      <FilterBar />
      <Endpoints />
    </>
  )
}

function Endpoints() {
  const [by, setBy] = useState<Grouping>('route')
  const [sort, setSort] = useState<SortKey>('requests')
  const [shown, setShown] = useState(STEP)
  const { data, failure } = useFilteredPoll<RoutesView>(`/api/routes?by=${by}&sort=${sort}`)
  if (data === null) return <NoData failure={failure} />
  const rows = data.by === by ? data.rows : []
  return (
    <div class="scroll" tabIndex={-1}>
      <p class="about">
        <GroupingChoice by={by} onChange={setBy} /> {scopeText(data.missed)} {counted(rows.length, 'row')}, quantiles
        within 1 %.
        {rows.at(-1)?.group === OTHER && ` ${counted(rows.length - 1, 'row')} have a name; ${OTHER} is the rest.`}
      </p>
      <div class="wide">
        <table class="data endpoints">
          <thead>
            <tr>
              <th scope="col">{TITLES[by]}</th>
              <th scope="col">Over time</th>
              {COLUMNS.map((column) => (
                <Heading key={column.title} column={column} sort={sort} onSort={setSort} />
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, shown).map((row) => (
              <Row key={row.group} row={row} by={by} />
            ))}
          </tbody>
        </table>
      </div>
      {rows.length === 0 && <NoPairs />}
      {rows.length > shown && (
        <button type="button" onClick={() => setShown(rows.length)}>
          Show all {counted(rows.length, 'row')}
        </button>
      )}
    </div>
  )
}

function GroupingChoice({ by, onChange }: { by: Grouping; onChange: (by: Grouping) => void }) {
  return (
    <label>
      Group by{' '}
      <select
        value={by}
        onChange={(event) => onChange(GROUPINGS.find((one) => one === event.currentTarget.value) ?? 'route')}
      >
        {GROUPINGS.map((one) => (
          <option key={one}>{one}</option>
        ))}
      </select>
    </label>
  )
}

function Heading({ column, sort, onSort }: { column: Column; sort: SortKey; onSort: (key: SortKey) => void }) {
  const key = column.sort
  return (
    <th scope="col" class="number" aria-sort={key === sort ? 'descending' : undefined}>
      {key === null ? (
        column.title
      ) : (
        <button type="button" class="sort" onClick={() => onSort(key)}>
          {column.title}
        </button>
      )}
    </th>
  )
}

function Row({ row, by }: { row: RouteHistory; by: Grouping }) {
  const filter = filterOf(row.group, by)
  return (
    <tr>
      <th scope="row">
        {filter === null ? (
          row.group
        ) : (
          <button type="button" class="link" onClick={() => narrowTo(filter)}>
            {row.group}
          </button>
        )}
      </th>
      <td>
        <Sparkline counts={row.history} />
      </td>
      {COLUMNS.map(({ title, text, tone }) => (
        <td key={title} class={`number ${tone?.(row) ?? ''}`}>
          {text(row)}
        </td>
      ))}
    </tr>
  )
}

const SPARK_HEIGHT = 16

/** Bars from the first period to the last that has a request. */
function Sparkline({ counts }: { counts: readonly number[] }) {
  const most = Math.max(1, ...counts)
  return (
    <svg
      class="spark"
      viewBox={`0 0 ${counts.length * 2} ${SPARK_HEIGHT}`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      {counts.map((count, index) => {
        if (count === 0) return null
        const height = Math.max(1, (count / most) * SPARK_HEIGHT)
        // The index is the key: periods differ only by their position.
        return <rect key={index} x={index * 2} y={SPARK_HEIGHT - height} width="1.5" height={height} />
      })}
    </svg>
  )
}

/** The filter that selects the pairs of a row; null: no filter can. */
function filterOf(group: string, by: Grouping): Filter | null {
  if (group === OTHER) return null
  switch (by) {
    case 'route': {
      const [, method, route, server] = /^(\S+) (\S+) (\S+)$/.exec(group) ?? []
      if (method === undefined || route === undefined || server === undefined) return null
      return { method, path: pathPattern(route), ...endFilter(server) }
    }
    case 'status':
      return { status: group }
    case 'host':
      return group === '-' ? null : { host: group.replace(/:\d+$/, '') }
    case 'workload':
      return workloadFilter(group) ?? { where: `server.address == ${JSON.stringify(group)}` }
    case 'client':
      return workloadFilter(group) ?? { where: `client.address == ${JSON.stringify(group)}` }
  }
}

/** A pattern of the paths of a route. A comma would begin another pattern. */
const pathPattern = (route: string): string => route.replaceAll(/\{[^}]*\}|…/g, '*').replaceAll(',', '?')

const endFilter = (server: string): Filter => workloadFilter(server) ?? { host: server.replace(/:\d+$/, '') }

/** `shop/api` */
function workloadFilter(name: string): Filter | null {
  const [, namespace, workload] = /^([^/]+)\/([^/]+)$/.exec(name) ?? []
  if (namespace === undefined || workload === undefined) return null
  return namespace === '~' ? { workload } : { namespace, workload }
}
