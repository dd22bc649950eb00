/** Rows of the table of routes. Types only. */

/** One group. Latencies in milliseconds, sizes in bytes of the bodies as sent. */
export interface RouteRow {
  readonly group: string
  readonly requests: number
  readonly perSecond: number
  readonly clientErrors: number
  readonly serverErrors: number
  readonly p50Ms: number
  readonly p95Ms: number
  readonly p99Ms: number
  readonly maxMs: number
  readonly requestBytes: number
  readonly responseBytes: number
}

/** One group and how its requests were spread over time. */
export interface RouteHistory extends RouteRow {
  /** Requests in each of HISTORY_PERIODS equal periods, oldest first. */
  readonly history: readonly number[]
}
