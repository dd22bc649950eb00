/** What a running pipeline shows of itself, for metrics and health. Read from shared memory: no worker is asked. */
import type { CounterBlock } from './ledger.ts'

export interface Observation {
  /** Counters that belong to no interface: assemblers, shipper, and interfaces that are gone, added up. */
  blocks: readonly CounterBlock[]
  interfaces: readonly InterfaceObservation[]
  rings: readonly RingObservation[]
  threads: readonly ThreadObservation[]
  /** The newest and the oldest pair that waits in the shipper, and what they take. */
  buffer: { bytes: number; limitBytes: number; oldestMs: number }
  /** Of the output: Kafka takes pairs. null: it was not tried yet. */
  outputReachable: boolean | null
}

/** One interface being captured. */
export interface InterfaceObservation {
  key: string
  name: string
  /** Namespace and pod, where it is one's. */
  labels: Readonly<Record<string, string>>
  /** A block of CAPTURE_COUNTERS. */
  block: CounterBlock
  /** false: it went down or away, and is waited for. */
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

export interface ThreadObservation {
  /** `main`, `capture`, `assemble`, `ship`. */
  role: string
  slot: number
  /** CPU time it has used so far, seconds; null where the system does not tell. */
  cpuSeconds: number | null
  /** Milliseconds since its heartbeat moved. */
  silentMs: number
  restarts: number
}
