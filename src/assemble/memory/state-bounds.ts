/**
 * How many connections and exchanges an assembler may remember. A connection is a record in typed arrays, of fixed size. Those
 * with something in progress, and exchanges, are objects on V8's heap, which nothing but their number bounds: each counts with
 * its largest size, which a test measures (state-bounds.test.ts).
 */
import { FLOW_BYTES } from '../tcp/flow-table.ts'

/** A connection as an object, with its TCP and HTTP state. */
export const OBJECT_BYTES = 1700
/** A request that waits for its response as an object, beside its own bytes, which are in the pool. */
export const EXCHANGE_BYTES = 580
/** The same as a record. Each connection that is a record may have one. */
export const WAITING_BYTES = 150
/** Shares of the memory for state: records, and exchanges that are objects. */
const RECORDS_PART = 0.54
const EXCHANGES_PART = 0.2
/** V8 needs room to collect garbage, and a thread needs this much without any state. */
const HEAP_FACTOR = 1.5
const HEAP_BASE_BYTES = 32 * 1024 * 1024
const LEAST = 16

export interface StateBounds {
  connections: number
  /** Connections that may be objects at the same time. */
  objects: number
  /** Exchanges that may be objects at the same time. */
  exchanges: number
}

/** @param stateBytes memory for state; @param connections the limit of connections */
export function stateBounds(stateBytes: number, connections: number): StateBounds {
  const recordBytes = FLOW_BYTES + WAITING_BYTES
  const records = Math.max(LEAST, Math.min(connections, Math.floor((stateBytes * RECORDS_PART) / recordBytes)))
  const objectBytes = stateBytes * (1 - EXCHANGES_PART) - records * recordBytes
  return {
    connections: records,
    objects: Math.max(LEAST, Math.min(records, Math.floor(objectBytes / OBJECT_BYTES))),
    exchanges: Math.max(LEAST, Math.floor((stateBytes * EXCHANGES_PART) / EXCHANGE_BYTES)),
  }
}

/** The old generation that a thread needs to hold that much state, in MiB. */
export const heapMiB = (stateBytes: number): number =>
  Math.ceil((HEAP_BASE_BYTES + stateBytes * HEAP_FACTOR) / (1024 * 1024))
