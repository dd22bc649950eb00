/** Why flows end, messages fail and pairs are filtered, and the counter of each reason: the tables are indexed by value. */
import { ASSEMBLE_COUNTERS } from './counters.ts'

const { index: C } = ASSEMBLE_COUNTERS

/** Why a flow ended. */
export const END_FIN = 0
export const END_RESET = 1
export const END_IDLE = 2
export const END_EVICTED = 3
export const END_SUPERSEDED = 4
export const END_INTERFACE_GONE = 5
/** The input ended. */
export const END_INPUT = 6

/** `flows.closed`, by END_ value. */
export const CLOSED_COUNTERS: readonly number[] = [
  C.closedFin,
  C.closedReset,
  C.closedIdle,
  C.closedEvicted,
  C.closedSuperseded,
  C.closedGone,
  C.closedEnded,
]

/** In place of a reason: nothing was lost, because the missing bytes were sent before the capture began. */
export const NO_REASON = -1

/** Why a message cannot become part of a pair. */
export const REASON_TIMEOUT = 0
export const REASON_GAP = 1
export const REASON_RESET = 2
export const REASON_CLOSED = 3
export const REASON_OVERSIZE = 4
export const REASON_DOUBTFUL = 5
export const REASON_EVICTED = 6
export const REASON_SUPERSEDED = 7
export const REASON_INTERFACE_GONE = 8
/** The input ended. */
export const REASON_ENDED = 9

/** `requests.abandoned`, by REASON_ value. */
export const ABANDONED_COUNTERS: readonly number[] = [
  C.abandonedTimeout,
  C.abandonedGap,
  C.abandonedReset,
  C.abandonedClosed,
  C.abandonedOversize,
  C.abandonedDoubtful,
  C.abandonedEvicted,
  C.abandonedSuperseded,
  C.abandonedGone,
  C.abandonedEnded,
]

/** `responses.orphaned`, by REASON_ value. */
export const ORPHANED_COUNTERS: readonly number[] = [
  C.orphanedTimeout,
  C.orphanedGap,
  C.orphanedReset,
  C.orphanedClosed,
  C.orphanedOversize,
  C.orphanedDoubtful,
  C.orphanedEvicted,
  C.orphanedSuperseded,
  C.orphanedGone,
  C.orphanedEnded,
]

/** Which rule filters a pair. */
export const RULE_NONE = 0
export const RULE_PAIR_BYTES = 1
export const RULE_CONTENT_TYPE = 2
export const RULE_USER_AGENT = 3
export const RULE_HEADER = 4
export const RULE_STATUS = 5
export const RULE_PATH = 6
/** The pair of another capture point is kept. */
export const RULE_VANTAGE = 7
/** Not on a list of `filter.include`. */
export const RULE_INCLUDE = 8
/** Not selected by `--grep` or `--where`. */
export const RULE_SELECTION = 9

/** `pairs.filtered`, by RULE_ value; RULE_NONE has no counter. */
export const FILTERED_COUNTERS: readonly number[] = [
  Number.NaN,
  C.filteredPairBytes,
  C.filteredContentType,
  C.filteredUserAgent,
  C.filteredHeader,
  C.filteredStatus,
  C.filteredPath,
  C.filteredVantage,
  C.filteredInclude,
  C.filteredSelection,
]
