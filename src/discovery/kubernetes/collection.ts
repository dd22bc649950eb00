/** Types shared by the list-and-watch loop and its consumers. */

/** The record kept of an API object, identified by its uid. Plain data: records are equal if their JSON is. */
export interface KeptRecord {
  readonly uid: string
}

/** A collection to watch. */
export interface Collection<T extends KeptRecord> {
  /** Such as `/api/v1/pods`. */
  readonly path: string
  /** Such as `pods`; for messages and RBAC rules. */
  readonly resource: string
  /** API group; empty: the core's. */
  readonly group: string
  /** Selects objects; empty: all. */
  readonly fieldSelector: string
  /** Most objects on one page of a list. */
  readonly pageSize: number
  /**
   * false: the first list comes from the server's cache, which is cheap for it, in a single response. true: every list is
   * the newest state, in pages, for collections that may be too large for a single response.
   */
  readonly paged: boolean
  /** Most records kept. At the limit, further objects are left out until the next list, and counted. */
  readonly maxRecords: number
  /** Converts an object into its record; null: not of interest. Must not throw. */
  readonly keep: (object: unknown) => T | null
}

/** A change of one record. */
export type Change<T> =
  | { readonly type: 'added'; readonly now: T; readonly before: null }
  | { readonly type: 'changed'; readonly now: T; readonly before: T }
  | { readonly type: 'removed'; readonly now: null; readonly before: T }

/** The state of a watch at one time. */
export interface WatchState {
  /** Whether a list has been completed. */
  readonly synced: boolean
  /** Whether a watch is open. */
  readonly connected: boolean
  /** The message of the last failure; null: none since the watch was last opened. */
  readonly lastError: string | null
  /** How often a list or a watch was started again. */
  readonly restarts: number
  /** When the last event or bookmark was received. Milliseconds of `performance.now`. */
  readonly lastEventMs: number | null
  /** Objects left out since the last list because of `maxRecords`. */
  readonly leftOut: number
}

/** Timing of the loop, in milliseconds. */
export interface WatchTiming {
  /** Time limit of a watch, sent to the server; a random amount of up to a quarter is added. */
  readonly watchMs: number
  /** A connection silent for this long may be dead: the server sends a bookmark every minute if anything changes. */
  readonly idleMs: number
  /** A watch that stayed open this long was successful, and resets the backoff. */
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
