/** What a command asks of the pipeline, and what it gets back. */

import type { Config } from '../config/schema.ts'
import type { Failure, RunCode } from '../errors.ts'
import type { FormatOptions, OutputFormat } from '../format/output-format.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Observation } from '../ledger/observation.ts'
import type { Logger } from '../log/logger.ts'
import type { AddressEntry } from '../pair/endpoint-pod.ts'
import type { CaptureTarget } from '../target/capture-target.ts'
import type { VantagePolicy } from '../target/interface-info.ts'

/** How pairs are formatted and where they are written. */
export interface OutputOptions extends Omit<FormatOptions, 'version'> {
  format: OutputFormat
  /** Null: standard output. */
  file: string | null
  /** Add to the file, open it again when it is moved away, and rotate it; absent: replace its content. */
  append?: boolean
}

/**
 * Where frames come from: capture files (`-` is standard input), interfaces of this host (`any`: all), or targets that
 * are added and removed while the run goes on.
 */
export type PipelineInput =
  | { kind: 'files'; paths: string[]; follow: boolean }
  | { kind: 'interfaces'; names: string[] }
  | { kind: 'targets' }

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
  /** Bytes into the unzipped file; null: no place in particular. */
  offset: number | null
  reason: string
}

/** What a run came to. */
export interface Outcome {
  ledger: Ledger
  damage: Damage[]
  exitCode: RunCode
  /** What ended the run before its end; null: nothing did. */
  failure: Failure | null
}

/** A run under way. */
export interface PipelineHandle {
  /** Resolves when everything is flushed and every worker has ended; does not reject. */
  done: Promise<Outcome>
  /** Take no more input, finish what is there in stream order. */
  drain(): void
  /** End at once; what is lost is counted. */
  stop(): void
  /** The counts so far. The laws hold once the run is done. */
  readonly ledger: Ledger
  /** What the run shows of itself. Asks no worker, so none can hold it up. */
  observe(): Observation
}

/** Why a target is not captured. It has been logged. */
export interface TargetFailure extends Failure {
  /**
   * gone: the pod or its interface no longer exists. denied: a privilege is missing. refused: the system refused.
   * ended: the target was removed meanwhile, or the run is ending.
   */
  reason: 'gone' | 'denied' | 'refused' | 'ended'
}

export type AddResult = 'captured' | TargetFailure

/**
 * A run whose input is `targets`, as the node agent steers it. All of it may be called from the beginning. A failed way
 * back out of a pod's network namespace ends the process.
 */
export interface TargetPipeline extends PipelineHandle {
  /** Captures a target; one that is captured already is updated. Does not reject. */
  add(target: CaptureTarget): Promise<AddResult>
  /** New names, labels, excluded ports or addresses of a target with the same key; flows go on. */
  update(target: CaptureTarget): void
  /**
   * Captures a target no longer. Resolves once its last frames were taken, its flows have ended, and descriptor and
   * kernel ring are given back; at once when it is not captured.
   */
  remove(key: string): Promise<void>
  /** What is known now of these addresses; of others what was known stays. */
  setAddresses(entries: readonly AddressEntry[]): void
  /** Keeps pairs by other rules from here on. */
  setFilter(filter: Config['filter']): void
  /** Which vantages are kept, for connections that begin from here on. */
  setPolicy(policy: VantagePolicy): void
}
