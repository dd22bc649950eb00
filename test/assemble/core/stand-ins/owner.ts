/**
 * What the TCP half calls of the half above it, as imports of the program: in tests of the TCP half alone, the test provides them.
 * Addresses are valid during the call.
 */
import { Direction, Flow } from '../../../../src/assemble/core/tcp/flow'

/**
 * In-order bytes [at, end) of a flow; `seq` is the first one's, `ack` belongs to the segment that carried them, as does the
 * packet time during the call.
 */
export declare function ownerData(flow: Flow, direction: Direction, at: usize, end: usize, seq: i32, ack: i32): void
/** `bytes` bytes are given up on, 0 where their number is unknown; the next data continues after them. */
export declare function ownerGap(flow: Flow, direction: Direction, bytes: i32): void
/** Which bytes the receiver's application read cannot be proved, though all were captured. */
export declare function ownerAmbiguous(flow: Flow): void
/** Nothing follows on this stream; `how` is an END_ value. Called once per stream. */
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
/** More messages wait than are to be remembered: connections have to be evicted. */
export declare function ownerIsCrowded(): bool
/** The flow to evict when messages crowd, or null. */
export declare function ownerLeastWanted(): Flow | null
/** The pool is low, and nothing is held behind holes: drops what has waited longest. @returns false when nothing waits */
export declare function ownerEvictOldest(): bool
/** Packet time has advanced: abandons messages that have waited, or stood still, for too long. */
export declare function ownerExpire(): void
