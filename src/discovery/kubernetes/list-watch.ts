/**
 * Follows one collection of the API: a list, then a watch from its revision on, for as long as the agent runs. Of every
 * object only a lean record is kept.
 *
 * What may happen and what is done: the watch ends in good order (it has a time limit) → it goes on from the last revision;
 * the connection breaks, falls silent, is refused → the same, later and later; history is gone (410) → a new list, which is
 * compared with what is known, so that nothing is lost or told twice; the server is away for hours → what is known stays,
 * and a list or the rest of the history brings it up to date.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { errorText } from '../../errors.ts'
import type { Logger } from '../../log.ts'
import type { ApiClient, WatchEvent } from './api-client.ts'
import { type ApiAction, ApiError, describeFailure, errorFromStatus } from './api-error.ts'
import { Backoff } from './backoff.ts'
import { asObject, listAt, objectAt, textAt } from './json.ts'
import { OutageLog } from './outage-log.ts'

/** What is kept of an object, told from others by its uid. Plain data: two records are the same when their JSON is. */
export interface KeptRecord {
  readonly uid: string
}

/** What to follow. */
export interface Collection<T extends KeptRecord> {
  /** As `/api/v1/pods`. */
  readonly path: string
  /** As `pods`; for messages and RBAC's words. */
  readonly resource: string
  /** API group; empty: the core's. */
  readonly group: string
  /** Which objects; empty: all. */
  readonly fieldSelector: string
  /** Most objects in one answer. */
  readonly pageSize: number
  /** The record of an object; null: of no interest. Must not throw. */
  readonly keep: (object: unknown) => T | null
}

export type Change<T> =
  | { readonly type: 'added'; readonly now: T; readonly before: null }
  | { readonly type: 'changed'; readonly now: T; readonly before: T }
  | { readonly type: 'removed'; readonly now: null; readonly before: T }

/** What is known of how it goes. A snapshot; all times in milliseconds since the Unix epoch. */
export interface WatchState {
  /** Whether a list has ever been complete: what is known was whole once. */
  readonly synced: boolean
  /** Whether a watch is open. */
  readonly connected: boolean
  /** The last failure in words; null: none since all went well. */
  readonly lastError: string | null
  /** Lists and watches that were begun again. */
  readonly restarts: number
  /** When the last event or bookmark came. */
  readonly lastEventMillis: number | null
}

/** Times of the loop, in milliseconds. */
export interface WatchTiming {
  /** The watch's own time limit, for the server: a random one of this and up to a quarter more. */
  readonly watchMillis: number
  /** A connection without a byte for so long is dead: the server sends a bookmark each minute. */
  readonly idleMillis: number
  /** A watch that lasted so long went well. */
  readonly healthyMillis: number
  readonly minPauseMillis: number
  readonly maxPauseMillis: number
}

export const DEFAULT_TIMING: WatchTiming = {
  watchMillis: 240_000,
  idleMillis: 150_000,
  healthyMillis: 10_000,
  minPauseMillis: 1000,
  maxPauseMillis: 30_000,
}

export interface ListWatchOptions<T extends KeptRecord> {
  client: ApiClient
  collection: Collection<T>
  log: Pick<Logger, 'info' | 'warn'>
  onChange: (change: Change<T>) => void
  timing?: WatchTiming
}

/** A list was never complete; `0` is any revision the server has, from its memory; then the last one seen. */
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
  #listFrom = ANY_REVISION
  /** The revision a watch goes on from; null: only a list helps. */
  #watchFrom: string | null = null
  #state: WatchState = { synced: false, connected: false, lastError: null, restarts: 0, lastEventMillis: null }
  #action: ApiAction['verb'] = 'list'

  /** Begins at once, and goes on until `close`. */
  constructor(options: ListWatchOptions<T>) {
    this.#options = options
    this.#timing = options.timing ?? DEFAULT_TIMING
    const { minPauseMillis, maxPauseMillis } = this.#timing
    this.#backoff = new Backoff({ minMillis: minPauseMillis, firstMillis: minPauseMillis, maxMillis: maxPauseMillis })
    this.#outages = new OutageLog(options.log)
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
      const retryAfterMillis = await this.#turn()
      this.#set({ connected: false })
      if (signal.aborted) return
      await pause(this.#backoff.next(retryAfterMillis), undefined, { signal }).catch(() => {})
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
      return error instanceof ApiError ? error.retryAfterMillis : 0
    }
  }

  #failed(error: unknown): void {
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

  async #list(): Promise<void> {
    this.#action = 'list'
    const found = new Map<string, T>()
    let next: string | undefined
    let revision: string
    do {
      const page = asObject(await this.#page(next))
      for (const item of listAt(page, 'items')) {
        const record = this.#options.collection.keep(item)
        if (record !== null) found.set(record.uid, record)
      }
      revision = textAt(objectAt(page, 'metadata'), 'resourceVersion')
      next = textAt(objectAt(page, 'metadata'), 'continue') || undefined
    } while (next !== undefined)
    if (revision === '') throw new ApiError(0, 'the answer is no list of the Kubernetes API')
    this.#replaceAll(found)
    this.#watchFrom = revision
    this.#listFrom = revision
    this.#set({ synced: true })
  }

  /**
   * A first list may be as old as the server's memory (`0`), which costs it little and does not come in pages; a later one
   * must not go back behind what is known. Pages are what the newest state comes in.
   */
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
    const { watchMillis, idleMillis, healthyMillis } = this.#timing
    const query = {
      fieldSelector: fieldSelector || undefined,
      resourceVersion: this.#watchFrom!,
      allowWatchBookmarks: true,
      timeoutSeconds: Math.ceil((watchMillis * (1 + Math.random() / 4)) / 1000),
    }
    let openedAt = Number.POSITIVE_INFINITY
    try {
      await this.#options.client.watch(path, query, {
        signal: this.#ended.signal,
        idleMillis,
        onOpen: () => {
          openedAt = performance.now()
          this.#opened()
        },
        onEvent: (event) => this.#take(event),
      })
    } finally {
      if (performance.now() - openedAt >= healthyMillis) this.#backoff.reset()
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
    if (revision !== '') {
      this.#watchFrom = revision
      this.#listFrom = revision
    }
    this.#set({ lastEventMillis: Date.now() })
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

  #set(change: Partial<WatchState>): void {
    this.#state = { ...this.#state, ...change }
  }
}
