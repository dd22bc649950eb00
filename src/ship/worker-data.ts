/** What the main thread starts a shipper with, and what the shipper's CONTROL_STATE word says. */
import type { Config } from '../config/schema.ts'
import type { FormatOptions, OutputFormat } from '../format/output-format.ts'
import { largestRecordBytes } from '../kafka/record-size.ts'
import type { Rotation } from '../output/output-file.ts'
import type { ValueFormat } from '../pair/encode-value.ts'

/** CONTROL_STATE: the output takes pairs. */
export const OUTPUT_OPEN = 0
/** CONTROL_STATE: `-c N` is reached. */
export const OUTPUT_ENOUGH = 1
/** CONTROL_STATE: the reader of the output has gone. */
export const OUTPUT_CLOSED = 2

export interface ShipWorkerData {
  /** One pair ring per assembler. */
  rings: SharedArrayBuffer[]
  /** Each assembler's doorbell, for those that wait for room in their ring; null for those that never do. */
  assemblerBells: (SharedArrayBuffer | null)[]
  ownBell: SharedArrayBuffer
  control: SharedArrayBuffer
  /** Laid out by SHIP_COUNTERS. */
  counters: Float64Array
  /** See ship/status.ts. */
  status: SharedArrayBuffer
  /**
   * A full buffer with an output that works, but slowly: `wait` leaves pairs in the rings (file input waits), `drop`
   * drops the oldest. An output that is away always makes it drop.
   */
  whenFull: 'wait' | 'drop'
  /** Stop after this many pairs; null: never. */
  limit: number | null
  bufferBytes: number
  maxAgeMs: number
  /** After the last pair has come, how long the output may stand still; after COMMAND_DRAIN, how long it may take. */
  shutdownTimeoutMs: number
  sink: SinkSpec
}

export type SinkSpec = { kind: 'none' } | StreamSinkSpec | KafkaSinkSpec

/** Standard output or a file. */
export interface StreamSinkSpec {
  kind: 'stream'
  /** null: standard output. */
  path: string | null
  /** Add to a file and keep it for as long as the agent runs (OutputTarget); false: replace its content. */
  append: boolean
  /** Absent: never. */
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
  /** What a pair within the limits needs at most; for a topic that is created. */
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
