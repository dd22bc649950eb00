/**
 * State of the scrolling list of pairs: the visible rows, the current pair, and whether the list follows new pairs.
 * Only visible rows are DOM elements, however long the list is.
 */
import { signal } from '@preact/signals'
import type { RefObject } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { isTyping } from './keys.ts'
import { go, place } from './location.ts'
import { list, state } from './pairs.ts'

/** Rows that are rendered above and below the visible ones. */
const MARGIN_ROWS = 8
/** Below this width a row has two lines. Pixels, as in the style sheet. */
const NARROW = '(max-width: 760px)'
const ROW_PX = 26
const NARROW_ROW_PX = 48
const HEAD_PX = 26

/** The current pair, to which the keyboard applies; null: none. */
const chosen = signal<number | null>(null)

/** What a list renders, and what it calls. */
export interface VirtualList {
  readonly box: RefObject<HTMLDivElement | null>
  readonly rowPx: number
  /** The rows to render: [from, to). */
  readonly from: number
  readonly to: number
  /** The number of the current pair, to which the keyboard applies; null: none. */
  readonly cursor: number | null
  readonly follows: boolean
  readonly setFollows: (follows: boolean) => void
  readonly onScroll: () => void
  /** Opens a pair. */
  readonly open: (seq: number) => void
}

/** The state of the list. */
export function useVirtualList(): VirtualList {
  const all = list.value
  const rowPx = useNarrow() ? NARROW_ROW_PX : ROW_PX
  const box = useRef<HTMLDivElement>(null)
  const [top, setTop] = useState(0)
  const height = useHeight(box)
  // By default the list starts at the beginning of a file, and at the end of a live source.
  const [wanted, setFollows] = useState<boolean | null>(null)
  const follows = wanted ?? (state.value !== null && state.value.kind !== 'file')
  useKeptPlace(box, all.dropped, follows, rowPx)
  const show = (index: number): void => {
    if (choose(index, box.current, rowPx)) setFollows(false)
  }
  useOpenedPair(show)
  useListKeys(show, () => setFollows(!follows))
  return {
    box,
    rowPx,
    from: Math.max(0, Math.floor(top / rowPx) - MARGIN_ROWS),
    to: Math.min(all.rows.length, Math.ceil((top + height) / rowPx) + MARGIN_ROWS),
    cursor: place.value.open ?? chosen.value,
    follows,
    setFollows,
    onScroll: () => {
      const element = box.current
      if (element === null) return
      setTop(element.scrollTop)
      if (element.scrollTop + element.clientHeight < element.scrollHeight - rowPx) setFollows(false)
    },
    open: (seq) => {
      go({ open: seq })
      show(indexOf(seq))
    },
  }
}

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

function useHeight(box: RefObject<HTMLDivElement | null>): number {
  const [height, setHeight] = useState(600)
  useLayoutEffect(() => {
    const element = box.current
    if (element === null) return
    const observer = new ResizeObserver(() => setHeight(element.clientHeight))
    observer.observe(element)
    return () => observer.disconnect()
  }, [])
  return height
}

/**
 * Scrolls to the end if the list follows; otherwise keeps the visible rows in place when rows above them are dropped.
 */
function useKeptPlace(box: RefObject<HTMLDivElement | null>, dropped: number, follows: boolean, rowPx: number): void {
  const before = useRef(dropped)
  useLayoutEffect(() => {
    const element = box.current
    if (element === null) return
    const droppedSince = dropped - before.current
    before.current = dropped
    if (follows) element.scrollTop = element.scrollHeight
    else if (droppedSince > 0) element.scrollTop -= droppedSince * rowPx
  })
}

/** Scrolls to the pair named by the address, which may be anywhere in the list or arrive later. */
function useOpenedPair(show: (index: number) => void): void {
  const { open } = place.value
  const at = open === null ? -1 : indexOf(open)
  const isListed = open !== null && list.value.rows[at]?.seq === open
  useEffect(() => {
    if (isListed) show(at)
  }, [open, isListed])
}

/** Makes a row the current one and scrolls it into view. @returns false if the list has no such row */
function choose(index: number, element: HTMLDivElement | null, rowPx: number): boolean {
  const row = list.peek().rows[index]
  if (element === null || row === undefined) return false
  chosen.value = row.seq
  if (place.value.open !== null) go({ open: row.seq }, { replace: true })
  const bottom = (index + 1) * rowPx - (element.clientHeight - HEAD_PX)
  element.scrollTop = Math.max(bottom, Math.min(element.scrollTop, index * rowPx))
  return true
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

function useListKeys(show: (index: number) => void, toggleFollow: () => void): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return
      if (onListKey(event, show, toggleFollow)) event.preventDefault()
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  })
}

const focusGrid = (): void => document.querySelector<HTMLElement>('[role=grid]')?.focus()

/** @returns whether the key is one of the list's */
function onListKey(event: KeyboardEvent, show: (index: number) => void, toggleFollow: () => void): boolean {
  // Read the current state, because keys may arrive faster than the list is rendered.
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
    case 'Enter':
      return openCursor(event, cursor)
    case 'Escape':
      if (place.value.open !== null) go({ open: null })
      focusGrid()
      return true
    default:
      return false
  }
}

/** Opens the current pair, unless Enter activates a button or a link. */
function openCursor({ target }: KeyboardEvent, cursor: number | null): boolean {
  const isControl = target instanceof Element && target.closest('button, a, summary') !== null
  if (cursor === null || isControl) return false
  go({ open: cursor })
  return true
}
