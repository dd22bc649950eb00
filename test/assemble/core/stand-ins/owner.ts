/**
 * Functions of the HTTP half that the TCP half calls, as imports of the program: tests of the TCP half alone provide
 * them. Addresses are valid during the call.
 */
import { Direction, Flow } from '../../../../src/assemble/core/tcp/flow'

/**
 * In-order bytes [at, end) of a flow; `seq` is the first one's, `ack` belongs to the segment that carried them, as does the
 * packet time during the call.
 */
export declare function ownerData(flow: Flow, direction: Direction, at: usize, end: usize, seq: i32, ack: i32): void
/** A gap of `bytes` bytes, 0 if their number is unknown; the next data follows the gap. */
export declare function ownerGap(flow: Flow, direction: Direction, bytes: i32): void
/** All bytes were captured, but which of them the receiver's application read cannot be proved. */
export declare function ownerAmbiguous(flow: Flow): void
/** The stream has ended; `how` is an END_ value. Called once per stream. */
export declare function ownerEnd(flow: Flow, direction: Direction, how: u8): void
/** A connection begins. */
export declare function ownerOpened(flow: Flow): void
/** A packet of a flow with `hopLimitPending`. @param hopLimit its TTL (IPv6: hop limit) */
export declare function ownerHopLimit(flow: Flow, direction: Direction, hopLimit: u8): void
/** The SYN-ACK is captured after data of the client: both streams' first sequence numbers are known. */
export declare function ownerBegins(flow: Flow): void
/** Whether the bytes [at, end) begin a request, as far as they show. */
export declare function ownerBeginsRequest(at: usize, end: usize): bool
/** The flow is over: frees what is kept for it. Called once per flow. */
export declare function ownerRelease(flow: Flow): void
/** More messages are pending than the limit permits: connections must be evicted. */
export declare function ownerIsFull(): bool
/** The flow to evict when there are too many messages, or null. */
export declare function ownerFlowToEvict(): Flow | null
/**
 * The pool is nearly full, and nothing is held behind holes: drops what has waited longest. @returns false if nothing
 * waits
 */
export declare function ownerEvictOldest(): bool
/** Packet time has advanced: abandons messages that have waited or paused for too long. */
export declare function ownerExpire(): void
