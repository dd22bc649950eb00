/** How many connections, exchanges and interfaces an assembler may remember: records of fixed size in its program's memory. */

import type { AssemblerOptions } from './assembler-options.ts'
import {
  SIZE_OF_CONNECTION,
  SIZE_OF_DOUBTS,
  SIZE_OF_EXCHANGE,
  SIZE_OF_EXTRAS,
  SIZE_OF_FLOW,
  SIZE_OF_MESSAGE,
  SIZE_OF_PROGRESS,
  SIZE_OF_RARE_STATE,
  SIZE_OF_TAIL,
} from './core/record-sizes.ts'
import { pairRoom } from './encode/pair-room.ts'

/** The most that a program's memory may have: the host reads addresses as signed words. */
export const LARGEST_MEMORY_BYTES = 2 ** 31 - 2 ** 16
/** Share of it, beside a message and a pair, that state may use. */
const LARGEST_STATE_PART = 1 / 3
/** Share of the memory for state that connections may use; exchanges use the rest. */
const CONNECTIONS_PART = 0.75
/** One in so many connections may have records for what is rare (core/tcp/rare-state.ts). */
const RARE_PART = 4
/** A connection's part of the table of buckets, at most. */
const BUCKET_BYTES = 8
const LEAST = 16
const LEAST_RARE_STATES = 256
/** Numbers that interfaces may have, from 0 on: each has a record and counters, whether it is used or not. */
export const INTERFACE_IDS = 4096

export interface StateBounds {
  readonly connections: number
  readonly exchanges: number
  /** Messages in progress. */
  readonly messages: number
  /** Streams with what is rare: holes, suspicions and the like. */
  readonly rareStates: number
}

/** How many records of each kind fit the memory for state. */
export function stateBounds(options: AssemblerOptions): StateBounds {
  const { flows, messageBytes } = options
  const largest = (LARGEST_MEMORY_BYTES - messageBytes - pairRoom(options)) * LARGEST_STATE_PART
  const flowBytes = SIZE_OF_FLOW + SIZE_OF_TAIL + SIZE_OF_EXTRAS + BUCKET_BYTES
  const stateBytes = Math.min(options.stateBytes, largest)
  const connectionBytes = flowBytes + SIZE_OF_CONNECTION + SIZE_OF_DOUBTS + SIZE_OF_RARE_STATE / RARE_PART
  const exchangeBytes = SIZE_OF_EXCHANGE + SIZE_OF_MESSAGE + SIZE_OF_PROGRESS
  const fitting = Math.floor((stateBytes * CONNECTIONS_PART) / connectionBytes)
  const connections = Math.max(LEAST, Math.min(flows, fitting))
  const rest = stateBytes - connections * connectionBytes
  const exchanges = Math.max(LEAST, Math.floor(rest / exchangeBytes))
  const rareStates = Math.max(LEAST_RARE_STATES, Math.floor(connections / RARE_PART))
  return { connections, exchanges, messages: exchanges, rareStates }
}
