/** How many connections, exchanges and interfaces an assembler may remember: records of fixed size in its program's memory. */
import type { AssemblerOptions } from './assembler-options.ts'
import { pairRoom } from './encode/pair-room.ts'
import { programSizes } from './host/program.ts'

/** The most that a program's memory may have: the host reads addresses as signed words. */
export const LARGEST_MEMORY_BYTES = 2 ** 31 - 2 ** 16
/** Share of it, beside a message and a pair, that state may use. */
const LARGEST_STATE_PART = 1 / 3
/** Share of the memory for state that connections may use; exchanges use the rest. */
const CONNECTIONS_PART = 0.75
/** A connection's part of the table of buckets, at most. */
const BUCKET_BYTES = 8
const LEAST = 16
/** Numbers that interfaces may have, from 0 on: each has a record and counters, whether it is used or not. */
export const INTERFACE_IDS = 4096

export interface StateBounds {
  readonly connections: number
  readonly exchanges: number
  /** Messages in progress. */
  readonly messages: number
}

/** How many connections, exchanges and messages in progress fit the memory for state. */
export function stateBounds(options: AssemblerOptions): StateBounds {
  const { flows, messageBytes } = options
  const largest = (LARGEST_MEMORY_BYTES - messageBytes - pairRoom(options)) * LARGEST_STATE_PART
  const stateBytes = Math.min(options.stateBytes, largest)
  const sizes = programSizes()
  const connectionBytes = sizes.flow + sizes.tail + sizes.connection + BUCKET_BYTES
  const fitting = Math.floor((stateBytes * CONNECTIONS_PART) / connectionBytes)
  const connections = Math.max(LEAST, Math.min(flows, fitting))
  const rest = stateBytes - connections * connectionBytes
  const exchanges = Math.max(LEAST, Math.floor(rest / (sizes.exchange + sizes.progress)))
  return { connections, exchanges, messages: exchanges }
}
