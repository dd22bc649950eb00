/**
 * How many connections and exchanges an assembler may remember. Their state is objects on V8's heap, which nothing but their
 * number bounds: each counts with what it takes at most, which a test measures (state-bounds.test.ts).
 */

/** A connection with its TCP and HTTP state. */
export const CONNECTION_BYTES = 1600
/** A request that waits for its response, beside its own bytes, which are in the pool. */
export const EXCHANGE_BYTES = 640
/** Of the memory for state, the part for connections. */
const CONNECTIONS_PART = 0.7
/** V8 needs room to collect garbage, and a thread takes this much without any state. */
const HEAP_FACTOR = 1.5
const HEAP_BASE_BYTES = 32 * 1024 * 1024
const LEAST = 16

export interface StateBounds {
  connections: number
  exchanges: number
}

/** @param stateBytes memory for state; @param connections the most that may be tracked anyway */
export function stateBounds(stateBytes: number, connections: number): StateBounds {
  const fitting = Math.floor((stateBytes * CONNECTIONS_PART) / CONNECTION_BYTES)
  return {
    connections: Math.max(LEAST, Math.min(connections, fitting)),
    exchanges: Math.max(LEAST, Math.floor((stateBytes * (1 - CONNECTIONS_PART)) / EXCHANGE_BYTES)),
  }
}

/** The old generation that a thread needs to hold that much state, in MiB. */
export const heapMiB = (stateBytes: number): number =>
  Math.ceil((HEAP_BASE_BYTES + stateBytes * HEAP_FACTOR) / (1024 * 1024))
