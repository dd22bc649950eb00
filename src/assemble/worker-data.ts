import type { InterfaceInfo } from '../interfaces.ts'
import type { AssemblerOptions } from './assembler.ts'

/** What an assembler's slot works with. It outlives the thread: a slot run again goes on with the same rings. */
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
  /** Interfaces announced to the slot before it crashed: rings announce each once. */
  interfaces: KnownInterface[]
}

/** An interface as the rings announce it. The thread posts one to the supervisor for each announcement it takes. */
export interface KnownInterface {
  slot: number
  id: number
  info: InterfaceInfo
}
