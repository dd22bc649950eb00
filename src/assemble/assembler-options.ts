/** The options of an assembler. */
import type { PairSelection } from '../select/selector.ts'
import type { VantagePolicy } from '../target/interface-info.ts'
import type { FilterConfig } from './filter.ts'

export interface AssemblerOptions extends VantagePolicy {
  /** Name of the node, for the pairs. */
  node: string
  filter: FilterConfig
  /** Keep pairs that rules would filter; size limits and `filter.include` still apply. */
  everything: boolean
  /** Selection by complete pairs (`--grep`, `--where`); absent: all are kept. */
  selection?: PairSelection | undefined
  /** Bounds on a message and on both of a pair, as bytes on the wire: start line, header fields, framing and body. */
  messageBytes: number
  pairBytes: number
  /** Packet time that a request waits for its response. */
  responseTimeoutMicros: number
  /** Emit the pair of a response whose connection, or the input, ended within its body. */
  incompleteResponses: boolean
  /** A connection without segments for this long is closed. */
  idleTimeoutMicros: number
  /** Maximum number of connections tracked at the same time. */
  flows: number
  /** Memory for the state of connections and exchanges; `flows` and the number of exchanges are bounded by it. */
  stateBytes: number
  /** Bound on all bytes held: messages waiting, segments behind holes, heads cut between segments. */
  poolBytes: number
}
