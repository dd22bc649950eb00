import type { MessagePort } from 'node:worker_threads'
import type { AddressEntry } from '../pair/endpoint-pod.ts'
import type { InterfaceInfo } from '../target/interface-info.ts'
import type { AssemblerOptions } from './assembler.ts'

/** What an assembler's slot works with. All but the last three outlive the thread: a slot run again goes on with them. */
export interface AssembleTask {
  slot: number
  /** One frame ring per capture worker, and the doorbells of the capture workers that wait for room in them. */
  rings: SharedArrayBuffer[]
  captureBells: (SharedArrayBuffer | null)[]
  /** Rung when a frame ring has news, when the pair ring has room, or when the command changed. */
  ownBell: SharedArrayBuffer
  pairRing: SharedArrayBuffer
  shipperBell: SharedArrayBuffer
  control: SharedArrayBuffer
  counters: Float64Array
  /** Full pair ring: `wait` for the shipper (files), or `drop` the newest pair and count it (live). */
  whenFull: 'wait' | 'drop'
  options: AssemblerOptions
  /** All that was said until now; what is said from here on comes out of `port` as `ToAssembler`. */
  interfaces: readonly KnownInterface[]
  addresses: readonly AddressEntry[]
  port: MessagePort
}

/** An interface that the assemblers know. The thread posts one to the supervisor for each that a ring announces. */
export interface KnownInterface {
  id: number
  info: InterfaceInfo
}
