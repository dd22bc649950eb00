/**
 * How many connections and exchanges an assembler may remember. A connection is a record in typed arrays, of fixed size. Those
 * with something in progress, and exchanges, are objects on V8's heap, which nothing but their number bounds: each counts with
 * what it takes at most, which a test measures (state-bounds.test.ts).
 */
import { FLOW_BYTES } from '../tcp/flow-table.ts'

/** A connection as an object, with its TCP and HTTP state. */
export const OBJECT_BYTES = 1600
/** A request that waits for its response, beside its own bytes, which are in the pool. */
export const EXCHANGE_BYTES = 640
/** Of the memory for state, the part for records of connections, and the part for exchanges. */
const CONNECTIONS_PART = 0.3
const EXCHANGES_PART = 0.26
/** V8 needs room to collect garbage, and a thread takes this much without any state. */
const HEAP_FACTOR = 1.5
const HEAP_BASE_BYTES = 32 * 1024 * 1024
const LEAST = 16

export interface StateBounds {
  connections: number
  /** Of the connections those that may be objects at the same time. */
  objects: number
  exchanges: number
}

/** @param stateBytes memory for state; @param connections the most that may be tracked anyway */
export function stateBounds(stateBytes: number, connections: number): StateBounds {
  const fitting = Math.floor((stateBytes * CONNECTIONS_PART) / FLOW_BYTES)
  const records = Math.max(LEAST, Math.min(connections, fitting))
  const objectBytes = stateBytes * (1 - EXCHANGES_PART) - records * FLOW_BYTES
  return {
    connections: records,
    objects: Math.max(LEAST, Math.min(records, Math.floor(objectBytes / OBJECT_BYTES))),
    exchanges: Math.max(LEAST, Math.floor((stateBytes * EXCHANGES_PART) / EXCHANGE_BYTES)),
  }
}

/** The old generation that a thread needs to hold that much state, in MiB. */
export const heapMiB = (stateBytes: number): number =>
  Math.ceil((HEAP_BASE_BYTES + stateBytes * HEAP_FACTOR) / (1024 * 1024))
