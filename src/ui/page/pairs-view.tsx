/** The view of pairs: the filter, the list, and the exchange that is open. */
import type { PairRow } from '../protocol.ts'
import { ExchangeView } from './exchange-view.tsx'
import { FilterBar } from './filter-bar.tsx'
import { go, place } from './location.ts'
import { NoPairs } from './no-pairs.tsx'
import { list, state } from './pairs.ts'
import { serverName, shortDuration, shortSize, statusClass, timeOfDay } from './texts.ts'
import { useVirtualList } from './virtual-list.ts'

/** The view of pairs. */
export function PairsView() {
  const { open } = place.value
  return (
    <div class={open === null ? 'pairs' : 'pairs split'}>
      <section class="list" aria-label="Pairs">
        <FilterBar />
        <PairList />
      </section>
      {open !== null && <ExchangeView key={open} seq={open} onClose={() => go({ open: null })} />}
    </div>
  )
}

function PairList() {
  const { rows } = list.value
  const { box, rowPx, from, to, cursor, follows, setFollows, onScroll, open } = useVirtualList()
  const onClick = ({ target }: MouseEvent): void => {
    const row = target instanceof Element ? target.closest('tr[id]') : null
    if (row !== null) open(Number(row.id.slice('pair-'.length)))
  }
  return (
    <>
      <div class="pair-list" ref={box} onScroll={onScroll}>
        <table
          // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: a table whose rows are chosen is a grid
          role="grid"
          tabIndex={0}
          aria-label="Pairs"
          aria-rowcount={rows.length + 1}
          aria-activedescendant={cursor === null ? undefined : `pair-${cursor}`}
        >
          <HeadRow />
          <tbody onClick={onClick}>
            <Spacer px={from * rowPx} />
            {rows.slice(from, to).map((row, index) => (
              <Row key={row.seq} row={row} index={from + index} isCurrent={row.seq === cursor} />
            ))}
            <Spacer px={(rows.length - to) * rowPx} />
          </tbody>
        </table>
        {rows.length === 0 && <NoPairs />}
      </div>
      {state.value?.ended !== true && (
        <button class="follow" type="button" aria-pressed={follows} onClick={() => setFollows(!follows)}>
          Follow
        </button>
      )}
    </>
  )
}

/** Takes the place of the rows that are not rendered. */
function Spacer({ px }: { px: number }) {
  return px === 0 ? null : <tr class="spacer" style={{ height: `${px}px` }} />
}

const COLUMNS = ['Time', 'Method', 'Status', 'Latency', 'Size', 'Host', 'Target', 'Client'] as const

function HeadRow() {
  return (
    <thead>
      <tr aria-rowindex={1}>
        {COLUMNS.map((title) => (
          <th key={title} scope="col" class={title.toLowerCase()}>
            {title}
          </th>
        ))}
      </tr>
    </thead>
  )
}

function Row({ row, index, isCurrent }: { row: PairRow; index: number; isCurrent: boolean }) {
  return (
    <tr id={`pair-${row.seq}`} aria-rowindex={index + 2} aria-selected={isCurrent}>
      <td class="time">{timeOfDay(row.micros)}</td>
      <td class="method">{row.method}</td>
      <td class={`status ${statusClass(row.status)}`}>{row.status}</td>
      <td class="latency">{shortDuration(row.latencyMicros)}</td>
      <td class="size">{shortSize(row.responseBytes)}</td>
      <td class="host">{serverName(row)}</td>
      <td class="target" title={row.target}>
        {row.target}
      </td>
      <td class="client">{row.client}</td>
    </tr>
  )
}
