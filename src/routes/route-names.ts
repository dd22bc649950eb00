/** Names of the groupings and orders of routes. Imports nothing. */

/** Groupings of pairs. */
export const GROUPINGS = ['route', 'workload', 'status', 'client', 'host'] as const
/** One of GROUPINGS. */
export type Grouping = (typeof GROUPINGS)[number]

/** Orders of rows, all descending. */
export const SORT_KEYS = ['requests', 'errors', 'p50', 'p95', 'p99', 'bytes'] as const
/** One of SORT_KEYS. */
export type SortKey = (typeof SORT_KEYS)[number]
