/**
 * Why flows end, messages fail and pairs are filtered. The counters of these reasons (counters.ts) are in the order of their
 * values, so the first one and a value make the counter. The assembler's program has copies of these constants, which
 * `npm run generate` writes.
 */

/** Why a flow ended: `flows.closed`. */
export const END_FIN = 0
export const END_RESET = 1
export const END_IDLE = 2
export const END_EVICTED = 3
export const END_SUPERSEDED = 4
export const END_INTERFACE_GONE = 5
/** The input ended. */
export const END_INPUT = 6

/** In place of a reason: nothing was lost, because the missing bytes were sent before the capture began. */
export const NO_REASON = -1

/** Why a message cannot become part of a pair: `requests.abandoned` and `responses.orphaned`. */
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

/** Which rule filters a pair: `pairs.filtered`, whose first counter is that of RULE_PAIR_BYTES. */
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
