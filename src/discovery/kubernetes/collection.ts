/** What is followed of the API and what is told of it: shared by those who watch and those who listen. */

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
  /** Most objects in one answer of a list that comes in pages. */
  readonly pageSize: number
  /**
   * false: the first list may be as old as the server's memory, which costs it little, and comes in one answer. true: every
   * list is the newest state in pages, for what may be too large for one.
   */
  readonly paged: boolean
  /** Most records kept. What comes when it is full is left out until the next list, and counted. */
  readonly maxRecords: number
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
  readonly lastEventMs: number | null
  /** Objects left out since the last list, because there were too many. */
  readonly leftOut: number
}

/** Times of the loop, in milliseconds. */
export interface WatchTiming {
  /** The watch's own time limit, for the server: a random one of this and up to a quarter more. */
  readonly watchMs: number
  /** A connection without a byte for so long may be dead: where anything changes, a bookmark comes each minute. */
  readonly idleMs: number
  /** A watch that lasted so long went well. */
  readonly healthyMs: number
  readonly minPauseMs: number
  readonly maxPauseMs: number
}

export const DEFAULT_TIMING: WatchTiming = {
  watchMs: 240_000,
  idleMs: 150_000,
  healthyMs: 10_000,
  minPauseMs: 1000,
  maxPauseMs: 30_000,
}
