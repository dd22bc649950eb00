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
}
