/** What a connection tracker needs of the protocols above TCP. */
import type { FlowKeeper } from './active-flows.ts'
import type { Direction, Flow } from './flow.ts'

/** Keeps state for flows. */
export interface FlowOwner extends FlowKeeper {
  /** A connection begins that was first captured on this interface. */
  opened(interfaceId: number): void
  /** Whether flows of the interface may be forwarded traffic, so that `hopLimit` is called for their first packets. */
  checksHopLimit(interfaceId: number): boolean
  /** A packet of a flow with `hopLimitPending`. @param hopLimit its TTL (IPv6: hop limit) */
  hopLimit(flow: Flow, direction: Direction, hopLimit: number): void
  /** The SYN-ACK is captured after data of the client: both streams' first sequence numbers are known. */
  begins(flow: Flow): void
  /** Whether the bytes [at, end) begin a request, as far as they show. */
  beginsRequest(at: number, end: number): boolean
  /** The flow is over: frees what is kept for it. Called once per flow. */
  release(flow: Flow): void
  /** More messages wait than are to be remembered: connections have to be evicted. */
  readonly crowded: boolean
  /** The flow on which a message has waited longest, or null. */
  readonly longestWaiting: Flow | null
  /** The pool is low, and nothing is held behind holes: drops what has waited longest. @returns false when nothing waits */
  evictOldest(): boolean
  /** Packet time has advanced: abandons messages that have waited, or stood still, for too long. */
  expire(): void
}
