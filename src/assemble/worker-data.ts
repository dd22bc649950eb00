import type { MessagePort } from 'node:worker_threads'
import type { Config } from '../config/schema.ts'
import type { AddressEntry } from '../pair/endpoint-pod.ts'
import type { InterfaceInfo, VantagePolicy } from '../target/interface-info.ts'
import type { AssemblerOptions } from './assembler-options.ts'

/**
 * The inputs and outputs of an assembler. All but the last three outlive the thread: a restarted one continues with
 * them.
 */
export interface AssembleTask {
  slot: number
  /** The assembler's program, compiled. */
  program: WebAssembly.Module
  /**
   * One frame ring per capture worker, and the doorbells of the capture workers that wait for room in them; none with
   * `placeEnd`.
   */
  rings: SharedArrayBuffer[]
  captureBells: (SharedArrayBuffer | null)[]
  /** For each ring, where connections are marked whose payload is not needed (ring/opaque-marks.ts); none for files. */
  marks: SharedArrayBuffer[]
  /**
   * The end of frames in place (ring/frame-place.ts), for an assembler in the capture stage's thread; null: there are
   * rings.
   */
  placeEnd: SharedArrayBuffer | null
  /** Rung when a frame ring has new frames, when the pair ring has room, or when the command has changed. */
  ownBell: SharedArrayBuffer
  pairRing: SharedArrayBuffer
  shipperBell: SharedArrayBuffer
  /** Whether the output only counts pairs: their records in the ring have no bytes then. */
  onlyCounts: boolean
  control: SharedArrayBuffer
  counters: Float64Array
  /** When the pair ring is full: `wait` for the shipper (files), or `drop` the newest pair and count it (live). */
  whenFull: 'wait' | 'drop'
  options: AssemblerOptions
  /** What all assemblers know at the start of the task. Later changes arrive on `port` as `ToAssembler`. */
  interfaces: readonly KnownInterface[]
  addresses: readonly AddressEntry[]
  port: MessagePort
}

/** What an assembler posts to the main thread. */
export type FromAssembler =
  /** It starts to read its rings. */
  | { t: 'ready' }
  /** A ring has announced an interface, which the next assembler in this slot must know too. */
  | ({ t: 'interface' } & KnownInterface)

/** An interface that the assemblers know. */
export interface KnownInterface {
  id: number
  info: InterfaceInfo
  /** For each assembler, the block in which it counts what it sees of the interface; undefined: it is not counted apart. */
  traffic?: readonly SharedArrayBuffer[] | undefined
}

/** What the main thread posts to every assembler. */
export type ToAssembler =
  /** A new interface, or new facts about a known one. Posted before the interface's first frame. */
  | ({ t: 'interface' } & KnownInterface)
  /** Replaces what is known of these addresses; other addresses keep what they have. */
  | { t: 'addresses'; entries: readonly AddressEntry[] }
  /** The filter's rules from now on. */
  | { t: 'filter'; filter: Config['filter'] }
  /** Which vantages are kept, for connections that begin from now on. */
  | { t: 'policy'; policy: VantagePolicy }
