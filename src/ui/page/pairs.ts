/** The pairs of the list: a stream of those that the filter selects, and at most as many as the server holds. */
import { effect, signal } from '@preact/signals'
import type { PairRow, UiState } from '../protocol.ts'
import { RequestFailure, readStream } from './api.ts'
import { place, queryOf } from './location.ts'

const RETRY_MS = 2000
const DROP_STEP = 1000

/** What the server reported last; null: nothing yet. */
export const state = signal<UiState | null>(null)
/** Why the stream is interrupted; null: it is not. */
export const failure = signal<RequestFailure | null>(null)
/** Pairs that this page could not receive. */
export const skipped = signal(0)

/** The rows, oldest first. The array is changed in place; `dropped` rows were in front of it. */
export interface PairList {
  readonly rows: PairRow[]
  readonly dropped: number
}

/** The rows; another object after every change. */
export const list = signal<PairList>({ rows: [], dropped: 0 })

const mostRows = (): number => state.peek()?.mostPairs ?? 20_000

function add(added: readonly PairRow[]): void {
  const { rows, dropped } = list.peek()
  for (const row of added) rows.push(row)
  // Removes rows in batches, because each removal moves the whole array.
  const excess = rows.length - mostRows() > DROP_STEP ? rows.length - mostRows() : 0
  rows.splice(0, excess)
  list.value = { rows, dropped: dropped + excess }
}

function clear(): void {
  list.value = { rows: [], dropped: 0 }
  skipped.value = 0
}

/** Receives a stream. The previous rows stay listed until its first message. */
async function receive(query: string, signal: AbortSignal): Promise<void> {
  let begun = false
  await readStream(
    query,
    (message) => {
      if (signal.aborted) return
      if (!begun) clear()
      begun = true
      failure.value = null
      if (message.t === 'state') state.value = message.state
      else {
        skipped.value = message.skipped
        add(message.rows)
      }
    },
    signal,
  )
}

async function follow(query: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await receive(query, signal)
    } catch (error) {
      if (signal.aborted) return
      failure.value = error instanceof RequestFailure ? error : new RequestFailure(0, 'interceptor has ended', null)
      // Do not reconnect: a wrong filter or token stays wrong.
      if (failure.value.status >= 400 && failure.value.status < 500) return
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
  }
}

let current: AbortController | null = null
let query: string | null = null

effect(() => {
  const next = queryOf(place.value.filter)
  if (next === query) return
  query = next
  current?.abort()
  current = new AbortController()
  void follow(next, current.signal)
})
