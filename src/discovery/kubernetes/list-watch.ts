/**
 * Keeps a copy of one collection of the API up to date: a list, then a watch from the list's revision on, until it is
 * closed. Only a small record of each object is kept.
 *
 * | event | reaction |
 * |---|---|
 * | the watch reaches its time limit, or is silent | a new watch from the last revision |
 * | the connection breaks or is refused | the same, with exponential backoff |
 * | the revision is too old (410) | a new list, compared with the records, so that no change is lost or reported twice |
 * | the server is unreachable for hours | the records stay; a list or the remaining history updates them |
 * | a server that was unreachable refuses at first | the backoff starts again from its minimum |
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
  /** Called when a list is complete and its changes have been reported. */
  onList?: () => void
  timing?: WatchTiming
}

/** Any revision in the server's cache. */
const ANY_REVISION = '0'
/** The newest revision, which costs the server a quorum read. */
const NEWEST_REVISION = ''

/** A watched copy of a collection. */
export class ListWatch<T extends KeptRecord> {
  readonly #options: ListWatchOptions<T>
  readonly #timing: WatchTiming
  readonly #items = new Map<string, T>()
  readonly #ended = new AbortController()
  readonly #backoff: Backoff
  readonly #outages: OutageLog
  readonly #running: Promise<void>
  /** The next list must not be older than this revision. */
  #listFrom: string
  /** The next watch starts from this revision; null: a list is required first. */
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
  /** Whether the last attempt did not reach a server. */
  #unreachable = false

  /** Lists and watches from now on, until `close`. */
  constructor(options: ListWatchOptions<T>) {
    this.#options = options
    this.#timing = options.timing ?? DEFAULT_TIMING
    const { minPauseMs, maxPauseMs, healthyMs } = this.#timing
    this.#backoff = new Backoff({ minMs: minPauseMs, firstMs: minPauseMs, maxMs: maxPauseMs, healthyMs })
    this.#outages = new OutageLog(options.log)
    this.#listFrom = options.collection.paged ? NEWEST_REVISION : ANY_REVISION
    this.#running = this.#run()
  }

  /** By uid; updated as events arrive. */
  get items(): ReadonlyMap<string, T> {
    return this.#items
  }

  get state(): WatchState {
    return this.#state
  }

  /** Closes the connection. No change is reported afterwards. */
  async close(): Promise<void> {
    this.#ended.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#ended
    while (!signal.aborted) {
      const retryAfterMs = await this.#listAndWatch()
      this.#set({ connected: false })
      if (signal.aborted) return
      await pause(this.#backoff.next(retryAfterMs), undefined, { signal }).catch(() => {})
      this.#set({ restarts: this.#state.restarts + 1 })
    }
  }

  /** Makes one list, if one is due, and one watch. @returns the pause that the server requested, milliseconds */
  async #listAndWatch(): Promise<number> {
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
    this.#noteUnreachable(!(error instanceof ApiError) || error.status === 0)
    if (error instanceof ApiError && (error.isGone || error.isAhead)) {
      // Not a fault: this is how the API requests a new list.
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

  /** A server that is reachable again may refuse requests for a few seconds, so its first response resets the backoff. */
  #noteUnreachable(unreachable: boolean): void {
    if (this.#unreachable && !unreachable) this.#backoff.reset()
    this.#unreachable = unreachable
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
    if (revision === '') throw new ApiError(0, 'the response is not a list of the Kubernetes API')
    this.#ended.signal.throwIfAborted()
    this.#replaceAll(found)
    this.#setLeftOut(leftOut)
    this.#advanceTo(revision)
    this.#set({ synced: true })
    this.#options.onList?.()
  }

  /** The next watch starts from this revision, and the next list must not be older. */
  #advanceTo(revision: string): void {
    this.#watchFrom = revision
    if (!this.#options.collection.paged) this.#listFrom = revision
  }

  /** A list must not be older than the records: one of several servers may lag. At revision 0 the server ignores `limit`. */
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
      resourceVersion: this.#watchFrom ?? undefined,
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
        onEvent: (event) => this.#handle(event),
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
  #handle({ type, object }: WatchEvent): void {
    if (type === 'ERROR') throw errorFromStatus(0, object, undefined)
    const metadata = objectAt(asObject(object), 'metadata')
    if (type !== 'BOOKMARK') this.#apply(type, object, textAt(metadata, 'uid'))
    const revision = textAt(metadata, 'resourceVersion')
    if (revision !== '') this.#advanceTo(revision)
    this.#set({ lastEventMs: performance.now() })
  }

  #apply(type: string, object: unknown, uid: string): void {
    const record = type === 'DELETED' ? null : this.#options.collection.keep(object)
    if (record === null) this.#remove(uid)
    else this.#put(record)
  }

  /** Replaces the records by those of a new list; reports the differences, removals first. */
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
      this.#options.log.warn(`there are more than ${maxRecords} ${resource}; the others have no names`)
    }
    this.#set({ leftOut })
  }

  #set(change: Partial<WatchState>): void {
    this.#state = { ...this.#state, ...change }
  }
}
