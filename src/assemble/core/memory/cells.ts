/**
 * Allocates cells of 64 to 2048 bytes from the pool. A page of 2 KiB holds cells of one size, so that one byte behind a hole
 * does not use the room of a message.
 *
 *     page of 2048 bytes            a cell
 *     +----+----+----+----+ ...     +------+------------------------------+-------+
 *     |cell|cell|free|cell|         | link | content                      | slack |
 *     +----+----+----+----+ ...     +------+------------------------------+-------+
 *                                   0      8                              size - 16
 *
 * `link` belongs to the owner of the cell; in a free cell it is the next free one of the page. Copies in steps of 16 bytes may
 * write into the slack. A page whose cells are all free can hold cells of another size.
 *
 *     page: free ──allocate──▶ with room ⇄ full
 *             ▲                   │
 *             └── last cell freed ┘
 *
 * Invariant: a page in use is in the list of its size (`Region.roomy`) exactly while it has room. `Pool.used` counts the pages
 * in use; all others are in the list `Pool.free`, or were never touched.
 */
import { Region } from './regions'

/** Offset of a cell's content. */
export const CONTENT_AT: usize = 8
const SLACK_BYTES: usize = 16
const FRAME_BYTES: usize = CONTENT_AT + SLACK_BYTES
const SMALLEST_LOG2: u32 = 6
const PAGE_LOG2: u32 = 11
const LARGEST_SIZE: u32 = PAGE_LOG2 - SMALLEST_LOG2
/** Content of the largest cell. */
export const LARGEST_CELL_BYTES: usize = (1 << PAGE_LOG2) - FRAME_BYTES
/** No cell: addresses below the pool are never cells. */
export const NO_CELL: usize = 0
/** Stands for no page in the links of pages. */
const NONE: u32 = 0xffffffff
/** Free pages below which `isLow` is true: an eighth, but no more than one frame needs. */
const MOST_RESERVED_PAGES: u32 = 512

/**
 * The record of a page: the first cell freed, links of the list it is in, the size of its cells, how many are in use,
 * and how many ever were.
 */
@unmanaged
export class Page {
  freed: usize
  next: u32
  previous: u32
  size: u8
  live: u8
  begun: u8
}

/** Bytes of a Page in the table of the pool's pages, in steps of 4 so that its fields are aligned. */
export const PAGE_RECORD_BYTES: usize = (offsetof<Page>() + 3) & ~3

class Pool {
  static pages: u32 = 0
  static used: u32 = 0
  static untouched: u32 = 0
  static free: u32 = NONE
  static reserved: u32 = 0
}

/** Empties the pool. */
export function openPool(pages: u32): void {
  Pool.pages = pages
  Pool.used = 0
  Pool.untouched = 0
  Pool.free = NONE
  Pool.reserved = max<u32>(min<u32>(pages >> 3, MOST_RESERVED_PAGES), 1)
  for (let size: u32 = 0; size <= LARGEST_SIZE; size++) store<u32>(Region.roomy + size * 4, NONE)
}

/** Bytes in use, in whole pages. */
export function usedBytes(): usize {
  return (<usize>Pool.used) << PAGE_LOG2
}

/** Bytes of all pages. */
export function poolBytes(): usize {
  return (<usize>Pool.pages) << PAGE_LOG2
}

/** Pages that hold no cell. */
export function freePages(): u32 {
  return Pool.pages - Pool.used
}

/** Whether the next frame may find no room: the caller should free what has been held longest. */
export function isLow(): bool {
  return Pool.pages - Pool.used < Pool.reserved
}

/** Allocates a cell for `bytes`, at most LARGEST_CELL_BYTES. @returns its address; NO_CELL when there is no room */
export function allocate(bytes: usize): usize {
  const size = sizeFor(bytes)
  let index = load<u32>(Region.roomy + size * 4)
  if (index === NONE) {
    index = claimPage(size)
    if (index === NONE) return NO_CELL
  }
  const page = pageAt(index)
  let cell = page.freed
  if (cell === NO_CELL) {
    cell = Region.pool + ((<usize>index) << PAGE_LOG2) + ((<usize>page.begun) << (size + SMALLEST_LOG2))
    page.begun++
  } else page.freed = load<usize>(cell)
  page.live++
  if (isPacked(page)) unlink(page)
  return cell
}

/** Frees a cell that `allocate` returned. */
export function release(cell: usize): void {
  const index = indexOf(cell)
  const page = pageAt(index)
  const wasPacked = isPacked(page)
  page.live--
  if (page.live === 0) {
    if (!wasPacked) unlink(page)
    page.next = Pool.free
    Pool.free = index
    Pool.used--
    return
  }
  store<usize>(cell, page.freed)
  page.freed = cell
  if (wasPacked) link(page, index)
}

/** Bytes of content that a cell has room for. */
export function capacity(cell: usize): usize {
  return ((<usize>1) << (<u32>pageAt(indexOf(cell)).size + SMALLEST_LOG2)) - FRAME_BYTES
}

/** Index of the smallest size whose content is at least `bytes`. */
function sizeFor(bytes: usize): u32 {
  const log2: u32 = 32 - clz<u32>(<u32>(bytes + FRAME_BYTES - 1))
  return log2 <= SMALLEST_LOG2 ? 0 : log2 - SMALLEST_LOG2
}

function indexOf(cell: usize): u32 {
  return <u32>((cell - Region.pool) >> PAGE_LOG2)
}

function pageAt(index: u32): Page {
  return changetype<Page>(Region.pages + <usize>index * PAGE_RECORD_BYTES)
}

function isPacked(page: Page): bool {
  return <u32>page.live === (<u32>1) << (LARGEST_SIZE - <u32>page.size)
}

function claimPage(size: u32): u32 {
  let index = Pool.free
  if (index !== NONE) Pool.free = pageAt(index).next
  else if (Pool.untouched < Pool.pages) index = Pool.untouched++
  else return NONE
  Pool.used++
  const page = pageAt(index)
  page.size = <u8>size
  page.live = 0
  page.begun = 0
  page.freed = NO_CELL
  link(page, index)
  return index
}

function link(page: Page, index: u32): void {
  const roomy = Region.roomy + <usize>page.size * 4
  const first = load<u32>(roomy)
  page.next = first
  page.previous = NONE
  if (first !== NONE) pageAt(first).previous = index
  store<u32>(roomy, index)
}

function unlink(page: Page): void {
  if (page.previous === NONE) store<u32>(Region.roomy + <usize>page.size * 4, page.next)
  else pageAt(page.previous).next = page.next
  if (page.next !== NONE) pageAt(page.next).previous = page.previous
}
