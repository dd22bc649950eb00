/**
 * What the TCP half calls of the half above it (connections.ts, eviction.ts). A test of the TCP half alone puts imports
 * in place of this file, which its host provides. Addresses are valid during the call.
 *
 * - `ownerData`: in-order bytes [at, end); `seq` is the first one's, `ack` belongs to the segment that carried them, as does
 *   the packet time during the call.
 * - `ownerGap`: bytes are given up on, 0 where their number is unknown; the next data continues after them.
 * - `ownerAmbiguous`: which bytes the receiver's application read cannot be proved, though all were captured.
 * - `ownerEnd`: nothing follows on this stream; once per stream, with an END_ value.
 * - `ownerOpened`: a connection begins. `ownerRelease`: it is over; once per flow.
 * - `ownerHopLimit`: a packet of a flow with `hopLimitPending`, with its TTL (IPv6: hop limit).
 * - `ownerBegins`: the SYN-ACK is captured after data of the client: both streams' first sequence numbers are known.
 * - `ownerBeginsRequest`: whether bytes begin a request, as far as they show.
 * - `ownerIsFull`: more messages wait than are to be remembered. `ownerFlowToEvict`: the flow to
 *   evict for them, or null.
 * - `ownerEvictOldest`: the pool is low: drops what has waited longest; false when nothing waits.
 * - `ownerExpire`: packet time has advanced: abandons messages that have waited, or stood still, for too long.
 */
export {
  ownerAmbiguous,
  ownerBegins,
  ownerBeginsRequest,
  ownerData,
  ownerEnd,
  ownerGap,
  ownerHopLimit,
  ownerOpened,
  ownerRelease,
} from '../connections'
export { ownerEvictOldest, ownerExpire, ownerFlowToEvict, ownerIsFull } from '../eviction'
