/** What a command asks of the pipeline, and what it gets back. */
import type { Config } from '../config.ts'
import type { Ledger } from '../ledger.ts'
import type { Logger } from '../log.ts'

/** How pairs are printed or written to a file. Kafka values have a format of their own, `config.ship.format`. */
export type OutputFormat = 'text' | 'ndjson' | 'json' | 'har' | 'msgpack' | 'none'

/** How pairs look, and where they are written. */
export interface OutputOptions {
  format: OutputFormat
  /** Null: standard output. */
  file: string | null
  /** Undo Content-Encoding of bodies. */
  decode: boolean
  color: boolean
  /** Columns to cut a line of text to; null: not cut. */
  width: number | null
  /** Heads and bodies too, in text. */
  verbose: boolean
}

/** Where frames come from: capture files (`-` is standard input), or interfaces of this host (`any`: all). */
export type PipelineInput =
  | { kind: 'files'; paths: string[]; follow: boolean }
  | { kind: 'interfaces'; names: string[] }

/** One run. */
export interface PipelineOptions {
  /** `ship.sink` says where pairs go: to `output` for stdout and file, to the cluster for kafka. */
  config: Config
  input: PipelineInput
  output: OutputOptions
  /** Stop after this many pairs; null: at the end of the input. */
  limit: number | null
  /** Every pair: content-type, status, header, URL and user-agent rules off. Size limits stay. */
  all: boolean
  log: Logger
  /** Called a few times a second while running; null: not wanted. */
  onProgress: ((progress: Progress) => void) | null
}

/** How far a run is. */
export interface Progress {
  /** Bytes of the input read, of `totalBytes`; null where that is not known (standard input, compressed, live). */
  bytes: number
  totalBytes: number | null
  /** Pairs kept so far. */
  pairs: number
}

/** A place where a capture file could not be read. */
export interface Damage {
  path: string
  /** Bytes into the (unzipped) file. */
  offset: number
  reason: string
}

/** What a run came to. */
export interface Outcome {
  ledger: Ledger
  damage: Damage[]
  exitCode: 0 | 1 | 2 | 3 | 4
  /** Why the exit code is 1, 2 or 4. */
  message?: string
  /** How to mend it. */
  hint?: string
}

/** A run under way. */
export interface PipelineHandle {
  /** Resolves when everything is flushed and every worker has ended; does not reject. */
  done: Promise<Outcome>
  /** Take no more input, finish what is there in stream order. */
  drain(): void
  /** End at once; what is lost is counted. */
  stop(): void
}
