/** The input, options and results of a pipeline, for the commands that run one. */

import type { Config } from '../config/schema.ts'
import type { Failure, RunCode } from '../errors.ts'
import type { FormatOptions, OutputFormat } from '../format/output-format.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Observation } from '../ledger/observation.ts'
import type { Logger } from '../log/logger.ts'
import type { AddressEntry } from '../pair/endpoint-pod.ts'
import type { PairSelection } from '../select/selector.ts'
import type { CaptureTarget } from '../target/capture-target.ts'
import type { VantagePolicy } from '../target/interface-info.ts'

/** How pairs are formatted and where they are written. */
export interface OutputOptions extends Omit<FormatOptions, 'version'> {
  format: OutputFormat
  /** Null: standard output. */
  file: string | null
  /** Append to the file, reopen it when it is moved, and rotate it; absent: replace its content. */
  append?: boolean
}

/**
 * Where frames come from: capture files (`-` is standard input), interfaces of this host (`any`: all), or targets that
 * are added and removed during the run.
 */
export type PipelineInput =
  | { kind: 'files'; paths: string[]; follow: boolean }
  | { kind: 'interfaces'; names: string[] }
  | { kind: 'targets' }

/** One run. */
export interface PipelineOptions {
  /** `ship.sink` selects where pairs go: to `output` for stdout and file, to the cluster for kafka. */
  config: Config
  input: PipelineInput
  output: OutputOptions
  /** Stop after this many pairs; null: at the end of the input. */
  limit: number | null
  /** Emit every pair: disables the rules about content type, status, headers, path and user agent, not the size limits. */
  all: boolean
  /** Emit only the pairs that these options of the command line select; absent: all. */
  selection?: PairSelection
  /** Path of the unix socket of the tap (docs/tap.md); absent: none. */
  tap?: string
  /**
   * Receives the pairs in the main thread, in place of the output; `ends` has the offset behind each pair in `bytes`.
   * File input waits for the receiver; live capture drops the oldest pairs.
   */
  onPairs?: (bytes: Uint8Array, ends: readonly number[]) => void
  log: Logger
  /** Called several times a second during capture; null: never. */
  onProgress: ((progress: Progress) => void) | null
}

/** The progress of a run. */
export interface Progress {
  /** Bytes of the input read, of `totalBytes`; null where the total is unknown (standard input, compressed, live). */
  bytes: number
  totalBytes: number | null
  /** Pairs kept so far, added up when read. */
  readonly pairs: number
}

/** A place where a capture file could not be read. */
export interface Damage {
  path: string
  /** Bytes into the unzipped file; null: no place in particular. */
  offset: number | null
  reason: string
}

/** The result of a run. */
export interface Outcome {
  ledger: Ledger
  damage: Damage[]
  exitCode: RunCode
  /** Why the run ended early; null: it did not. */
  failure: Failure | null
}

/** A run in progress. */
export interface PipelineHandle {
  /** Resolves when everything is flushed and every worker has ended; does not reject. */
  done: Promise<Outcome>
  /** Stop reading input, and finish pending work in stream order. */
  drain(): void
  /** End at once; what is lost is counted. */
  stop(): void
  /** The counts so far. The laws hold once the run is done. */
  readonly ledger: Ledger
  /** The run's state, for metrics and health. Read from shared memory, so that no worker can delay it. */
  observe(): Observation
}

/** Why a target is not captured. It has been logged. */
export interface TargetFailure extends Failure {
  /**
   * gone: the pod or its interface no longer exists. denied: a privilege is missing. refused: the kernel refused, or there are
   * too many interfaces. ended: the target was removed before it was captured, or the run is ending.
   */
  reason: 'gone' | 'denied' | 'refused' | 'ended'
}

export type AddResult = 'captured' | TargetFailure

/**
 * A run whose input is `targets`, controlled by the node agent. Every method may be called at any time. If the main
 * thread cannot return from a pod's network namespace, the process ends.
 */
export interface TargetPipeline extends PipelineHandle {
  /** Captures a target; one that is captured already is updated. Does not reject. */
  add(target: CaptureTarget): Promise<AddResult>
  /** Replaces names, labels, excluded ports and addresses of the target with the same key; its flows continue. */
  update(target: CaptureTarget): void
  /**
   * Ends a target's capture. Resolves once its last frames were read, its flows have ended, and its descriptor and kernel
   * ring are released; at once when it is not captured.
   */
  remove(key: string): Promise<void>
  /** Replaces the holders of these addresses; other addresses keep theirs. */
  setAddresses(entries: readonly AddressEntry[]): void
  /** Applies other rules from now on. */
  setFilter(filter: Config['filter']): void
  /** Sets which vantages are kept, for connections that begin from now on. */
  setPolicy(policy: VantagePolicy): void
}
