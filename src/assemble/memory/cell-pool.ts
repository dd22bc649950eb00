/**
 * Allocates cells of 64 to 2048 bytes from the arena's pool. A page of 2 KiB holds cells of one size, so that one byte
 * behind a hole does not use the room of a message.
 *
 *     page of 2048 bytes            a cell
 *     +----+----+----+----+ ...     +------+------------------------------+-------+
 *     |cell|cell|free|cell|         | link | content                      | slack |
 *     +----+----+----+----+ ...     +------+------------------------------+-------+
 *                                   0      8                              size - 16
 *
 * `link` belongs to the owner of the cell; in a free cell it is the next free one of the page. Copies by words may write
 * into the slack. A page whose cells are all free can hold cells of another size.
 *
 *     page: free ──allocate──▶ with room ⇄ full
 *             ▲                   │
 *             └── last cell freed ┘
 */
import type { Arena } from './arena.ts'

/** Offset of a cell's content. */
export const CONTENT_AT = 8
const SLACK_BYTES = 16
const FRAME_BYTES = CONTENT_AT + SLACK_BYTES
const SMALLEST_LOG2 = 6
const PAGE_LOG2 = 11
const PAGE_BYTES = 1 << PAGE_LOG2
const LARGEST_SIZE = PAGE_LOG2 - SMALLEST_LOG2
/** Content of the largest cell. */
export const LARGEST_CELL_BYTES = PAGE_BYTES - FRAME_BYTES
/** No cell: addresses below the pool are never cells. */
export const NO_CELL = 0
const NONE = -1
/** Free pages below which `low` is true: an eighth, but no more than one frame needs. */
const MOST_RESERVED_PAGES = 512

/** Index of the smallest size whose content is at least `bytes`. */
const sizeFor = (bytes: number): number => {
  const log2 = 32 - Math.clz32(bytes + FRAME_BYTES - 1)
  return log2 <= SMALLEST_LOG2 ? 0 : log2 - SMALLEST_LOG2
}

export class CellPool {
  readonly #view: DataView
  readonly #base: number
  readonly #pages: number
  readonly #reserved: number
  /** By page: its size; cells in use; cells that were ever in use; the first cell freed; links of the list it is in. */
  readonly #size: Uint8Array
  readonly #live: Uint8Array
  readonly #begun: Uint8Array
  readonly #freed: Int32Array
  readonly #next: Int32Array
  readonly #previous: Int32Array
  /** By size: the first page with room. */
  readonly #roomy = new Int32Array(LARGEST_SIZE + 1).fill(NONE)
  #free = NONE
  #untouched = 0
  #used = 0

  constructor(arena: Arena) {
    this.#view = arena.view
    this.#base = arena.pool
    this.#pages = arena.poolBytes >> PAGE_LOG2
    this.#reserved = Math.min(this.#pages >> 3, MOST_RESERVED_PAGES) || 1
    this.#size = new Uint8Array(this.#pages)
    this.#live = new Uint8Array(this.#pages)
    this.#begun = new Uint8Array(this.#pages)
    this.#freed = new Int32Array(this.#pages)
    this.#next = new Int32Array(this.#pages)
    this.#previous = new Int32Array(this.#pages)
  }

  /** Bytes in use, in whole pages. */
  get usedBytes(): number {
    return this.#used * PAGE_BYTES
  }

  get freePages(): number {
    return this.#pages - this.#used
  }

  /** Whether the next frame may find no room: the caller should free what has been held longest. */
  get low(): boolean {
    return this.#pages - this.#used < this.#reserved
  }

  /** Allocates a cell for `bytes`, at most LARGEST_CELL_BYTES. @returns its address; NO_CELL when there is no room */
  allocate(bytes: number): number {
    const size = sizeFor(bytes)
    let page = this.#roomy[size]
    if (page === NONE) {
      page = this.#claimPage(size)
      if (page === NONE) return NO_CELL
    }
    let cell = this.#freed[page]
    if (cell === NO_CELL) cell = this.#base + (page << PAGE_LOG2) + (this.#begun[page]++ << (size + SMALLEST_LOG2))
    else this.#freed[page] = this.#view.getInt32(cell, true)
    if (++this.#live[page] === 1 << (LARGEST_SIZE - size)) this.#unlink(page, size)
    return cell
  }

  /** Frees a cell that `allocate` returned. */
  free(cell: number): void {
    const page = (cell - this.#base) >> PAGE_LOG2
    const size = this.#size[page]
    const isFull = this.#live[page] === 1 << (LARGEST_SIZE - size)
    if (--this.#live[page] === 0) {
      if (!isFull) this.#unlink(page, size)
      this.#next[page] = this.#free
      this.#free = page
      this.#used--
      return
    }
    this.#view.setInt32(cell, this.#freed[page], true)
    this.#freed[page] = cell
    if (isFull) this.#link(page, size)
  }

  /** Bytes of content that a cell has room for. */
  capacity(cell: number): number {
    return (1 << (this.#size[(cell - this.#base) >> PAGE_LOG2] + SMALLEST_LOG2)) - FRAME_BYTES
  }

  #claimPage(size: number): number {
    let page = this.#free
    if (page !== NONE) this.#free = this.#next[page]
    else if (this.#untouched < this.#pages) page = this.#untouched++
    else return NONE
    this.#used++
    this.#size[page] = size
    this.#live[page] = 0
    this.#begun[page] = 0
    this.#freed[page] = NO_CELL
    this.#link(page, size)
    return page
  }

  #link(page: number, size: number): void {
    const first = this.#roomy[size]
    this.#next[page] = first
    this.#previous[page] = NONE
    if (first !== NONE) this.#previous[first] = page
    this.#roomy[size] = page
  }

  #unlink(page: number, size: number): void {
    const next = this.#next[page]
    const previous = this.#previous[page]
    if (previous === NONE) this.#roomy[size] = next
    else this.#next[previous] = next
    if (next !== NONE) this.#previous[next] = previous
  }
}
