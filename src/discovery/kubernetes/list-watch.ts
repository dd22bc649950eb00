/**
 * Follows one collection of the API: a list, then a watch from its revision on, for as long as the agent runs. Of every
 * object only a lean record is kept.
 *
 * What may happen and what is done: the watch ends in good order (it has a time limit), or falls silent → it goes on from
 * the last revision; the connection breaks, or is refused → the same, later and later; history is gone (410) → a new list,
 * which is compared with what is known, so that nothing is lost or told twice; the server is away for hours → what is known
 * stays, and a list or the rest of the history brings it up to date; it comes back and refuses at first → asked again soon.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { Backoff } from '../../async/backoff.ts'
import { errorText } from '../../errors.ts'
import type { Logger } from '../../log/logger.ts'
import { OutageLog } from '../../log/outage-log.ts'
import type { ApiClient, WatchEvent } from './api-client.ts'
import { type ApiAction, ApiError, describeFailure, errorFromStatus } from './api-error.ts'
import {
  type Change,
  type Collection,
  DEFAULT_TIMING,
  type KeptRecord,
  type WatchState,
  type WatchTiming,
} from './collection.ts'
import { asObject, listAt, objectAt, textAt } from './json.ts'

export interface ListWatchOptions<T extends KeptRecord> {
  client: ApiClient
  collection: Collection<T>
  log: Pick<Logger, 'info' | 'warn'>
  onChange: (change: Change<T>) => void
  /** A list is complete, and its changes have been told. */
  onList?: () => void
  timing?: WatchTiming
}

/** Any that the server has in its memory. */
const ANY_REVISION = '0'
/** The newest there is, whatever it costs the server. */
const NEWEST_REVISION = ''

export class ListWatch<T extends KeptRecord> {
  readonly #options: ListWatchOptions<T>
  readonly #timing: WatchTiming
  readonly #items = new Map<string, T>()
  readonly #ended = new AbortController()
  readonly #backoff: Backoff
  readonly #outages: OutageLog
  readonly #running: Promise<void>
  /** The revision the next list must not be older than. */
  #listFrom: string
  /** The revision a watch goes on from; null: only a list helps. */
  #watchFrom: string | null = null
  #state: WatchState = {
    synced: false,
    connected: false,
    lastError: null,
    restarts: 0,
    lastEventMs: null,
    leftOut: 0,
  }
  #action: ApiAction['verb'] = 'list'
  /** Whether the last try found no server at all. */
  #away = false

  /** Begins at once, and goes on until `close`. */
  constructor(options: ListWatchOptions<T>) {
    this.#options = options
    this.#timing = options.timing ?? DEFAULT_TIMING
    const { minPauseMs, maxPauseMs, healthyMs } = this.#timing
    this.#backoff = new Backoff({ minMs: minPauseMs, firstMs: minPauseMs, maxMs: maxPauseMs, healthyMs })
    this.#outages = new OutageLog(options.log)
    this.#listFrom = options.collection.paged ? NEWEST_REVISION : ANY_REVISION
    this.#running = this.#run()
  }

  /** By uid; changes as events come. */
  get items(): ReadonlyMap<string, T> {
    return this.#items
  }

  get state(): WatchState {
    return this.#state
  }

  /** Ends its connection. Afterwards there are no more changes. */
  async close(): Promise<void> {
    this.#ended.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#ended
    while (!signal.aborted) {
      const retryAfterMs = await this.#turn()
      this.#set({ connected: false })
      if (signal.aborted) return
      await pause(this.#backoff.next(retryAfterMs), undefined, { signal }).catch(() => {})
      this.#set({ restarts: this.#state.restarts + 1 })
    }
  }

  /** One list, where one is due, and one watch to its end. @returns the pause the server asked for, milliseconds */
  async #turn(): Promise<number> {
    try {
      if (this.#watchFrom === null) await this.#list()
      await this.#watch()
      return 0
    } catch (error) {
      if (this.#ended.signal.aborted) return 0
      this.#failed(error)
      return error instanceof ApiError ? error.retryAfterMs : 0
    }
  }

  #failed(error: unknown): void {
    this.#noteAway(!(error instanceof ApiError) || error.status === 0)
    if (error instanceof ApiError && (error.isGone || error.isAhead)) {
      // Nothing is wrong: it is how the API says that a new list is due.
      this.#watchFrom = null
      this.#listFrom = NEWEST_REVISION
      this.#set({ lastError: errorText(error) })
      return
    }
    const { resource, group } = this.#options.collection
    const failure = describeFailure(error, { verb: this.#action, resource, group })
    this.#set({ lastError: failure.message })
    this.#outages.failed(failure)
  }

  /** A server that has just come back may refuse what it will allow in seconds: the waits begin again with its first answer. */
  #noteAway(away: boolean): void {
    if (this.#away && !away) this.#backoff.reset()
    this.#away = away
  }

  async #list(): Promise<void> {
    this.#action = 'list'
    const found = new Map<string, T>()
    let leftOut = 0
    let next: string | undefined
    let revision: string
    do {
      const page = asObject(await this.#page(next))
      for (const item of listAt(page, 'items')) {
        const record = this.#options.collection.keep(item)
        if (record === null) continue
        if (found.size < this.#options.collection.maxRecords) found.set(record.uid, record)
        else leftOut += 1
      }
      revision = textAt(objectAt(page, 'metadata'), 'resourceVersion')
      next = textAt(objectAt(page, 'metadata'), 'continue') || undefined
    } while (next !== undefined)
    if (revision === '') throw new ApiError(0, 'the answer is no list of the Kubernetes API')
    this.#ended.signal.throwIfAborted()
    this.#replaceAll(found)
    this.#setLeftOut(leftOut)
    this.#begin(revision)
    this.#set({ synced: true })
    this.#options.onList?.()
  }

  /** Where a watch goes on from, and a list must not be older than. */
  #begin(revision: string): void {
    this.#watchFrom = revision
    if (!this.#options.collection.paged) this.#listFrom = revision
  }

  /** A later list must not go back behind what is known: a server of several may lag. The server ignores `limit` at `0`. */
  #page(next: string | undefined): Promise<unknown> {
    const { path, fieldSelector, pageSize } = this.#options.collection
    const inMemory = this.#listFrom !== NEWEST_REVISION && this.#listFrom !== ANY_REVISION
    const query = {
      fieldSelector: fieldSelector || undefined,
      limit: inMemory ? undefined : pageSize,
      continue: next,
      resourceVersion: next === undefined ? this.#listFrom || undefined : undefined,
      resourceVersionMatch: next === undefined && inMemory ? 'NotOlderThan' : undefined,
    }
    return this.#options.client.get(path, query, { signal: this.#ended.signal })
  }

  async #watch(): Promise<void> {
    this.#action = 'watch'
    const { path, fieldSelector } = this.#options.collection
    const { watchMs, idleMs } = this.#timing
    const query = {
      fieldSelector: fieldSelector || undefined,
      resourceVersion: this.#watchFrom!,
      allowWatchBookmarks: true,
      timeoutSeconds: Math.ceil((watchMs * (1 + Math.random() / 4)) / 1000),
    }
    let openedAt = Number.POSITIVE_INFINITY
    try {
      await this.#options.client.watch(path, query, {
        signal: this.#ended.signal,
        idleMs,
        onOpen: () => {
          openedAt = performance.now()
          this.#opened()
        },
        onEvent: (event) => this.#take(event),
      })
    } finally {
      this.#backoff.worked(performance.now() - openedAt)
    }
  }

  #opened(): void {
    this.#set({ connected: true, lastError: null })
    this.#outages.recovered(`${this.#options.collection.resource} are watched again`)
  }

  /** @throws ApiError when the event ends the watch */
  #take({ type, object }: WatchEvent): void {
    if (type === 'ERROR') throw errorFromStatus(0, object, undefined)
    const metadata = objectAt(asObject(object), 'metadata')
    if (type !== 'BOOKMARK') this.#apply(type, object, textAt(metadata, 'uid'))
    const revision = textAt(metadata, 'resourceVersion')
    if (revision !== '') this.#begin(revision)
    this.#set({ lastEventMs: Date.now() })
  }

  #apply(type: string, object: unknown, uid: string): void {
    const record = type === 'DELETED' ? null : this.#options.collection.keep(object)
    if (record === null) this.#remove(uid)
    else this.#put(record)
  }

  /** What a new list holds takes the place of what is known; only differences are told, removals first. */
  #replaceAll(found: ReadonlyMap<string, T>): void {
    for (const uid of [...this.#items.keys()]) if (!found.has(uid)) this.#remove(uid)
    for (const record of found.values()) this.#put(record)
  }

  #put(now: T): void {
    const before = this.#items.get(now.uid) ?? null
    if (before === null && this.#items.size >= this.#options.collection.maxRecords) {
      this.#setLeftOut(this.#state.leftOut + 1)
      return
    }
    if (before !== null && JSON.stringify(before) === JSON.stringify(now)) return
    this.#items.set(now.uid, now)
    this.#options.onChange(before === null ? { type: 'added', now, before } : { type: 'changed', now, before })
  }

  #remove(uid: string): void {
    const before = this.#items.get(uid)
    if (before === undefined) return
    this.#items.delete(uid)
    this.#options.onChange({ type: 'removed', now: null, before })
  }

  #setLeftOut(leftOut: number): void {
    const { resource, maxRecords } = this.#options.collection
    if (leftOut > 0 && this.#state.leftOut === 0) {
      this.#options.log.warn(`more than ${maxRecords} ${resource}: the others have no names`)
    }
    this.#set({ leftOut })
  }

  #set(change: Partial<WatchState>): void {
    this.#state = { ...this.#state, ...change }
  }
}
