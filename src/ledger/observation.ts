/** The state of a running pipeline, for metrics and health: read from shared memory, so that no worker can delay it. */
import type { CounterBlock } from './ledger.ts'

export interface Observation {
  /** Counters of assemblers and shipper, and the sums over interfaces that are no longer captured. */
  blocks: readonly CounterBlock[]
  interfaces: readonly InterfaceObservation[]
  rings: readonly RingObservation[]
  threads: readonly ThreadObservation[]
  /** Pairs that wait in the shipper: their bytes, and the age of the oldest. */
  buffer: { bytes: number; limitBytes: number; oldestMs: number }
  /** Whether the output accepts pairs; null: not tried yet. */
  outputReachable: boolean | null
  shedding: SheddingObservation
  /** Readers of the tap, and pairs that a reader did not receive because it was slow, over all readers. */
  tap: { open: boolean; readers: number; notShown: number }
}

/** Shares of connections that are kept, 0 to 1, by the reason for shedding the others; 1: all. The lower one applies. */
export interface SheddingObservation {
  /** `limits.cpu` is reached. */
  cpu: number
  /** Frames arrive faster than they can be processed: the share of the capture worker that keeps least. */
  overload: number
}

/** One interface being captured. */
export interface InterfaceObservation {
  key: string
  name: string
  /** `namespace` and `pod`, where the interface is a pod's. */
  labels: Readonly<Record<string, string>>
  /** A block of CAPTURE_COUNTERS. */
  block: CounterBlock
  /** The counts of each assembler for this interface (traffic.ts). */
  traffic: readonly SharedArrayBuffer[]
  /** false: it went down or was deleted; capture resumes when it returns. */
  up: boolean
}

/** A ring between two threads. */
export interface RingObservation {
  /** `frames` into an assembler, `pairs` out of one. */
  kind: 'frames' | 'pairs'
  from: string
  to: string
  usedBytes: number
  capacityBytes: number
}

/** A worker's lifecycle (supervisor/workers/worker-slot.ts). `waiting`: it crashed, and is restarted after a delay. */
export type WorkerState = 'idle' | 'starting' | 'ready' | 'draining' | 'waiting' | 'stopped'

/** A thread, or the slot of one that is about to be restarted. */
export interface ThreadObservation {
  /** `main`, `capture`, `assemble`, `ship`. */
  role: string
  slot: number
  state: WorkerState
  /** CPU time used so far, seconds; null where the system does not report it. */
  cpuSeconds: number | null
  /** Milliseconds since its heartbeat last changed. */
  silentMs: number
  restarts: number
  /** Whether it has crashed several times within a minute. */
  crashLooping: boolean
}
