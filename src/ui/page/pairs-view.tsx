/** The list of pairs, of which only the rows in sight are elements, and the pair that is open. */
import { signal } from '@preact/signals'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { PairRow } from '../protocol.ts'
import { ExchangeView } from './exchange-view.tsx'
import { FilterBar } from './filter-bar.tsx'
import { isTyping } from './keys.ts'
import { go, place } from './location.ts'
import { list, state } from './pairs.ts'
import { serverName, shortDuration, shortSize, statusClass, timeOfDay } from './texts.ts'

/** Rows that are rendered above and below those in sight. */
const MARGIN_ROWS = 8
/** Below this width a row has two lines. Pixels, as in the style sheet. */
const NARROW = '(max-width: 760px)'
const ROW_PX = 26
const NARROW_ROW_PX = 48

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

/** The pair that the keyboard is at; null: none. */
const chosen = signal<number | null>(null)

function useNarrow(): boolean {
  const [narrow, setNarrow] = useState(() => matchMedia(NARROW).matches)
  useEffect(() => {
    const query = matchMedia(NARROW)
    const update = (): void => setNarrow(query.matches)
    query.addEventListener('change', update)
    return () => query.removeEventListener('change', update)
  }, [])
  return narrow
}

/** The index of a pair in the list, or where it would be: pairs are in the order of their numbers. */
function indexOf(seq: number): number {
  const { rows } = list.peek()
  let [low, high] = [0, rows.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((rows[middle]?.seq ?? 0) < seq) low = middle + 1
    else high = middle
  }
  return low
}

function PairList() {
  const all = list.value
  const count = all.rows.length
  const rowPx = useNarrow() ? NARROW_ROW_PX : ROW_PX
  const box = useRef<HTMLDivElement>(null)
  const [top, setTop] = useState(0)
  const [height, setHeight] = useState(600)
  const cursor = place.value.open ?? chosen.value
  // A file is read from its beginning; what is live, from its end.
  const [wanted, setFollows] = useState<boolean | null>(null)
  const follows = wanted ?? (state.value !== null && state.value.kind !== 'file')
  const dropped = useRef(all.dropped)

  useLayoutEffect(() => {
    const element = box.current
    if (element === null) return
    const observer = new ResizeObserver(() => setHeight(element.clientHeight))
    observer.observe(element)
    return () => observer.disconnect()
  }, [])

  // Rows that left the list were above: what is in sight stays in place.
  useLayoutEffect(() => {
    const element = box.current
    if (element === null) return
    const gone = all.dropped - dropped.current
    dropped.current = all.dropped
    if (follows) element.scrollTop = element.scrollHeight
    else if (gone > 0) element.scrollTop -= gone * rowPx
  })

  const show = (index: number): void => {
    const element = box.current
    const row = list.peek().rows[index]
    if (element === null || row === undefined) return
    chosen.value = row.seq
    setFollows(false)
    if (place.value.open !== null) go({ open: row.seq }, { replace: true })
    if (index * rowPx < element.scrollTop) element.scrollTop = index * rowPx
    const bottom = (index + 1) * rowPx - (element.clientHeight - HEAD_PX)
    if (bottom > element.scrollTop) element.scrollTop = bottom
  }

  // A pair that the address names may be anywhere in the list, and arrive later.
  const opened = place.value.open
  const openAt = opened === null ? -1 : indexOf(opened)
  const isListed = all.rows[openAt]?.seq === opened
  useEffect(() => {
    if (isListed) show(openAt)
  }, [opened, isListed])

  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey) return
      if (isTyping(event)) {
        if (event.key === 'Escape') focusGrid()
        return
      }
      if (onListKey(event, show, () => setFollows(!follows))) event.preventDefault()
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  })

  const from = Math.max(0, Math.floor(top / rowPx) - MARGIN_ROWS)
  const to = Math.min(count, Math.ceil((top + height) / rowPx) + MARGIN_ROWS)
  const rows = all.rows.slice(from, to)
  return (
    <>
      <div
        class="sheet"
        ref={box}
        onScroll={(event) => {
          const element = event.currentTarget
          setTop(element.scrollTop)
          const isAtEnd = element.scrollTop + element.clientHeight >= element.scrollHeight - rowPx
          if (!isAtEnd) setFollows(false)
        }}
      >
        <table
          // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: a table whose rows are chosen is a grid
          role="grid"
          tabIndex={0}
          aria-label="Pairs"
          aria-rowcount={count + 1}
          aria-activedescendant={cursor === null ? undefined : `pair-${cursor}`}
        >
          <HeadRow />
          <tbody
            onClick={(event) => {
              const row = event.target instanceof Element ? event.target.closest('tr') : null
              if (row === null || !row.id.startsWith('pair-')) return
              const seq = Number(row.id.slice('pair-'.length))
              go({ open: seq })
              show(indexOf(seq))
            }}
          >
            <Gap px={from * rowPx} />
            {rows.map((row, index) => (
              <Row key={row.seq} row={row} index={from + index} isCurrent={row.seq === cursor} />
            ))}
            <Gap px={(count - to) * rowPx} />
          </tbody>
        </table>
        {count === 0 && <Empty />}
      </div>
      {state.value?.ended !== true && (
        <button class="follow" type="button" aria-pressed={follows} onClick={() => setFollows(!follows)}>
          Follow
        </button>
      )}
    </>
  )
}

/** In place of the rows that are out of sight. */
function Gap({ px }: { px: number }) {
  return px === 0 ? null : <tr class="gap" style={{ height: `${px}px` }} />
}

const HEAD_PX = 26

const focusGrid = (): void => document.querySelector<HTMLElement>('[role=grid]')?.focus()

/** @returns whether the key is one of the list */
function onListKey(event: KeyboardEvent, show: (index: number) => void, toggleFollow: () => void): boolean {
  // Keys may follow each other faster than the list is rendered.
  const cursor = place.peek().open ?? chosen.peek()
  const at = cursor === null ? -1 : indexOf(cursor)
  const last = list.peek().rows.length - 1
  switch (event.key) {
    case 'j':
    case 'ArrowDown':
      show(Math.min(last, at + 1))
      return true
    case 'k':
    case 'ArrowUp':
      show(Math.max(0, at - 1))
      return true
    case 'g':
    case 'Home':
      show(0)
      return true
    case 'G':
    case 'End':
      show(last)
      return true
    case 'f':
      toggleFollow()
      return true
    case '/':
      document.querySelector<HTMLInputElement>('.filter input')?.focus()
      return true
    case 'Enter':
      if (cursor === null || event.target instanceof HTMLButtonElement || event.target instanceof HTMLAnchorElement) {
        return false
      }
      go({ open: cursor })
      return true
    case 'Escape':
      if (place.value.open !== null) go({ open: null })
      focusGrid()
      return true
    default:
      return false
  }
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

function Empty() {
  const seen = state.value?.seen ?? 0
  return <p class="empty">{seen === 0 ? 'No pairs yet.' : 'No pair that is held matches the filter.'}</p>
}
