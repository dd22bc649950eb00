/** What routes are grouped and ordered by. Loads nothing. */

/** What pairs are grouped by. */
export const GROUPINGS = ['route', 'workload', 'status', 'client', 'host'] as const
/** One of GROUPINGS. */
export type Grouping = (typeof GROUPINGS)[number]

/** What rows are ordered by, most first. */
export const SORT_KEYS = ['requests', 'errors', 'p50', 'p95', 'p99', 'bytes'] as const
/** One of SORT_KEYS. */
export type SortKey = (typeof SORT_KEYS)[number]
