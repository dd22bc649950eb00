/** The shipper's start-up data. */
import type { Config } from '../config/schema.ts'
import type { FormatOptions, OutputFormat } from '../format/output-format.ts'
import { largestRecordBytes } from '../kafka/record-size.ts'
import type { Rotation } from '../output/output-file.ts'
import type { ValueFormat } from '../pair/encode-value.ts'

export interface ShipWorkerData {
  /** One pair ring per assembler. */
  rings: SharedArrayBuffer[]
  /** Doorbells of the assemblers that wait for room in their ring; null for those that drop instead. */
  assemblerBells: (SharedArrayBuffer | null)[]
  ownBell: SharedArrayBuffer
  control: SharedArrayBuffer
  /** The shipper's counters, in the layout of SHIP_COUNTERS. */
  counters: Float64Array
  /** See ship/status.ts. */
  status: SharedArrayBuffer
  /**
   * What happens when the buffer is full and the output is slow: `wait` leaves pairs in the rings, so that file input
   * waits; `drop` drops the oldest. While the output is down, the oldest are always dropped.
   */
  whenFull: 'wait' | 'drop'
  /** Stop after this many pairs; null: never. */
  limit: number | null
  /**
   * Bounds of what waits: bytes of all pairs with their record headers, and the age of each. The oldest beyond them are
   * dropped.
   */
  bufferBytes: number
  maxAgeMs: number
  /**
   * After the end of the input, how long the output may make no progress; after COMMAND_DRAIN, how long it may work.
   * Where input waits, a reader that does not read is waited for until COMMAND_DRAIN.
   */
  shutdownTimeoutMs: number
  sink: SinkSpec
  /** Path of the unix socket of the tap; null: none. */
  tap: string | null
  /** What earlier shippers held when they ended (ship/held-memory.ts). */
  left: SharedArrayBuffer[]
}

export type SinkSpec = { kind: 'none' } | PostSinkSpec | StreamSinkSpec | KafkaSinkSpec

/** A reader in the main thread. */
export interface PostSinkSpec {
  kind: 'post'
  /** Bytes that it has consumed, int32, modulo 2^32. */
  consumed: SharedArrayBuffer
}

/** Standard output or a file. */
export interface StreamSinkSpec {
  kind: 'stream'
  /** null: standard output. */
  path: string | null
  /** Append to the file and keep it open for as long as the agent runs; false: replace its content. */
  append: boolean
  /** Absent: the file is never rotated. */
  rotation?: Rotation
  format: OutputFormat
  formatOptions: FormatOptions
}

/** A topic. `kafkaSinkSpec` makes it from the configuration. */
export interface KafkaSinkSpec {
  kind: 'kafka'
  kafka: Config['kafka']
  /** This node's name, for `ce_source`. */
  node: string
  format: ValueFormat
  decode: boolean
  batchBytes: number
  lingerMs: number
  bufferBytes: number
  maxAgeMs: number
  /** Bytes of the largest record that a pair within the limits can become: the limit of a topic that is created. */
  largestRecordBytes: number
}

/** @param node this node's name */
export function kafkaSinkSpec(config: Pick<Config, 'kafka' | 'ship' | 'limits'>, node: string): KafkaSinkSpec {
  const { kafka, ship } = config
  return {
    kind: 'kafka',
    kafka,
    node,
    format: ship.format,
    decode: ship.decode,
    batchBytes: ship.batchBytes,
    lingerMs: ship.linger,
    bufferBytes: ship.bufferBytes,
    maxAgeMs: ship.maxAge,
    largestRecordBytes: largestRecordBytes(config),
  }
}
