/**
 * Sends one page the rows of the pairs that its filter selects, in batches, and the state once a second. A stream holds
 * nothing but its position in the store, so a slow page costs no memory: pairs that leave the store before the page
 * could receive them are skipped and counted. A page that does not read at all is disconnected.
 */
import type { PairSelector } from '../select/selector.ts'
import type { PairStore } from './pair-store.ts'
import type { PairRow, StreamMessage, UiState } from './protocol.ts'

/** Time between two batches. */
const BATCH_MS = 100
/** The most rows of a batch. */
const BATCH_ROWS = 1000
/** How long one batch may evaluate a filter, so that the event loop stays free. */
const FILTER_MS = 20
/** The state is sent in every tenth batch. */
const STATE_EVERY = 10
/** A page that accepted nothing for this long is disconnected. */
const STALLED_MS = 15_000

/** The response that a stream writes to: a part of http.ServerResponse. */
export interface StreamOutput {
  readonly writableNeedDrain: boolean
  write(text: string): boolean
  destroy(): unknown
}

export interface PairStreamParts {
  readonly store: PairStore
  /** null: every pair. */
  readonly selector: PairSelector | null
  readonly output: StreamOutput
  readonly state: () => UiState
  /** Milliseconds, monotonic. */
  readonly now?: () => number
}

export class PairStream {
  readonly #parts: PairStreamParts
  readonly #now: () => number
  #next: number
  #skipped = 0
  #ticks = 0
  #acceptedMs: number
  #timer: NodeJS.Timeout | undefined

  /** The stream begins with the oldest pair that is held. */
  constructor(parts: PairStreamParts) {
    this.#parts = parts
    this.#now = parts.now ?? (() => performance.now())
    this.#next = parts.store.first
    this.#acceptedMs = this.#now()
  }

  /** Sends batches until `stop`. */
  start(): void {
    this.tick()
    this.#timer = setInterval(() => this.tick(), BATCH_MS)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Sends one batch, unless the page has not yet accepted the last one. */
  tick(): void {
    const { output, state } = this.#parts
    const nowMs = this.#now()
    if (output.writableNeedDrain) {
      if (nowMs - this.#acceptedMs > STALLED_MS) output.destroy()
      return
    }
    this.#acceptedMs = nowMs
    const skippedBefore = this.#skipped
    const rows = this.#collect(nowMs)
    const messages: StreamMessage[] = []
    if (rows.length > 0 || this.#skipped > skippedBefore) messages.push({ t: 'rows', rows, skipped: this.#skipped })
    if (this.#ticks % STATE_EVERY === 0) messages.push({ t: 'state', state: state() })
    this.#ticks += 1
    if (messages.length > 0) output.write(messages.map((message) => `${JSON.stringify(message)}\n`).join(''))
  }

  #collect(nowMs: number): PairRow[] {
    const { store, selector } = this.#parts
    if (this.#next < store.first) {
      this.#skipped += store.first - this.#next
      this.#next = store.first
    }
    const rows: PairRow[] = []
    while (this.#next < store.next && rows.length < BATCH_ROWS) {
      const held = store.get(this.#next)
      this.#next += 1
      if (held !== undefined && (selector === null || selector.selects(held.bytes) === true)) rows.push(held.row)
      if (selector !== null && this.#next % 16 === 0 && this.#now() - nowMs > FILTER_MS) break
    }
    return rows
  }
}
