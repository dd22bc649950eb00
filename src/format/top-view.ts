/**
 * The user's view of the table of routes (grouping, order, filter), in shared memory: the main thread writes it as keys
 * are pressed, the thread that draws the table reads it.
 */
import { GROUPINGS, type Grouping, SORT_KEYS, type SortKey } from '../routes/route-names.ts'

/** Int32 words. */
const CHANGES = 0
const BY = 1
const SORT = 2
const PAUSED = 3
const ROWS = 4
const COLUMNS = 5
const FILTER_BYTES = 6
const WORDS = 8
/** UTF-8 of the filter, behind the words. */
const MOST_FILTER_BYTES = 256

export class TopView {
  readonly #words: Int32Array
  readonly #filter: Uint8Array

  constructor(shared: SharedArrayBuffer) {
    this.#words = new Int32Array(shared, 0, WORDS)
    this.#filter = new Uint8Array(shared, WORDS * 4)
  }

  /** @param rows  of the terminal @param columns  of the terminal */
  static allocate(by: Grouping, sort: SortKey, rows: number, columns: number): SharedArrayBuffer {
    const shared = new SharedArrayBuffer(WORDS * 4 + MOST_FILTER_BYTES)
    const view = new TopView(shared)
    view.by = by
    view.sort = sort
    view.resize(rows, columns)
    return shared
  }

  /** Changes whenever anything here does. */
  get changes(): number {
    return Atomics.load(this.#words, CHANGES)
  }

  get by(): Grouping {
    return GROUPINGS[this.#words[BY]]
  }

  set by(by: Grouping) {
    this.#set(BY, GROUPINGS.indexOf(by))
  }

  get sort(): SortKey {
    return SORT_KEYS[this.#words[SORT]]
  }

  set sort(sort: SortKey) {
    this.#set(SORT, SORT_KEYS.indexOf(sort))
  }

  /** Whether the table is paused. Pairs are counted nevertheless. */
  get paused(): boolean {
    return this.#words[PAUSED] === 1
  }

  set paused(paused: boolean) {
    this.#set(PAUSED, paused ? 1 : 0)
  }

  get rows(): number {
    return this.#words[ROWS]
  }

  get columns(): number {
    return this.#words[COLUMNS]
  }

  resize(rows: number, columns: number): void {
    this.#words[ROWS] = rows
    this.#set(COLUMNS, columns)
  }

  /** Only groups that contain this text are shown, ignoring case; empty: all. */
  get filter(): string {
    return Buffer.from(this.#filter.slice(0, this.#words[FILTER_BYTES])).toString()
  }

  set filter(filter: string) {
    const bytes = Buffer.from(filter).subarray(0, MOST_FILTER_BYTES)
    this.#filter.set(bytes)
    this.#set(FILTER_BYTES, bytes.length)
  }

  #set(word: number, value: number): void {
    this.#words[word] = value
    Atomics.add(this.#words, CHANGES, 1)
  }
}
