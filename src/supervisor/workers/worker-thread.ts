/** The thread of one run of a capture worker or of the shipper. Main thread. */
import { getHeapStatistics } from 'node:v8'
import { type ResourceLimits, Worker } from 'node:worker_threads'
import { withResolvers } from '../../async/with-resolvers.ts'
import { EXIT_RUNTIME, type Failure, failureOf } from '../../errors.ts'
import type { FromWorker } from '../../thread/messages.ts'

/**
 * Capture and assembler threads produce next to no garbage, and the shipper's is short-lived: a small young generation
 * costs them nothing (measured) and keeps each some 5 MB smaller.
 */
const YOUNG_MIB = 3
/**
 * Limit of each thread's old generation, several times what it needs: captured bytes, and all that an assembler remembers, are
 * in memory of their own. V8's default is gigabytes: a heap that grows without end would use up the process's memory, and
 * collect garbage for seconds while the thread's rings overflow.
 */
const OLD_MIB = { capture: 64, assemble: 64, ship: 256 } as const
const MIB = 1024 * 1024

/**
 * How a run ended: at the end of its work, by a failure that a restart would not change, or by a crash. A crash has a hint
 * where the system and not the program is at fault.
 */
export type WorkerEnd =
  | { how: 'done' }
  | { how: 'failed'; failure: Failure }
  | { how: 'crashed'; message: string; hint?: string | null | undefined }

/** How a worker failed; null when it did not. */
export function failureOfWorker(end: WorkerEnd): Failure | null {
  if (end.how === 'failed') return end.failure
  return end.how === 'crashed' ? { message: end.message, exitCode: EXIT_RUNTIME, hint: end.hint ?? null } : null
}

/** One thread at work in a slot, from its start to its end. */
export interface WorkerRun {
  /** Resolves once the worker has started its work; never where it ends before. */
  readonly ready: Promise<void>
  /** Resolves once the thread has ended: no ring, counter or descriptor is touched by it any more. Does not reject. */
  readonly ended: Promise<WorkerEnd>
  /** Posts a message to the worker. A run that has ended ignores it. */
  post(message: unknown): void
  /**
   * Ends the thread at any point of its work, except inside a system call.
   *
   * @param why for the other workers in the thread, which end as well
   */
  terminate(why?: string): void
}

/** Follows the lifecycle messages of a worker, and passes on the others. */
export class Lifecycle {
  /** The end that the worker has reported; null: none yet. */
  reported: WorkerEnd | null = null
  readonly #ready = withResolvers<void>()
  readonly #onMessage: (message: FromWorker) => void

  constructor(onMessage: (message: FromWorker) => void) {
    this.#onMessage = onMessage
  }

  get ready(): Promise<void> {
    return this.#ready.promise
  }

  receive(message: FromWorker): void {
    if (message.t === 'ready') this.#ready.resolve()
    else if (message.t === 'done') this.reported = { how: 'done' }
    else if (message.t === 'failed') {
      const { t: _, ...failure } = message
      this.reported = { how: 'failed', failure }
    } else this.#onMessage(message)
  }
}

export interface WorkerThreadSpec {
  role: 'capture' | 'ship'
  /** Compiled entry, relative to this module. */
  entry: string
  workerData: unknown
  /** Receives what the worker posts, except for its lifecycle messages. */
  onMessage: (message: FromWorker) => void
}

/** Limits of a thread's heap; also by `--max-old-space-size`, which applies to every thread of this process. */
export const threadLimits = (role: keyof typeof OLD_MIB): ResourceLimits => ({
  maxYoungGenerationSizeMb: YOUNG_MIB,
  maxOldGenerationSizeMb: Math.min(OLD_MIB[role], Math.floor(getHeapStatistics().heap_size_limit / MIB)),
})

/** A thread whose work is done may linger for this long, held by an open socket. */
const LINGER_MS = 2_000

/** Starts the thread. One that reports its end and lingers is terminated; one that ends without a report has crashed. */
export class WorkerThread implements WorkerRun {
  readonly ready: Promise<void>
  readonly ended: Promise<WorkerEnd>
  readonly #worker: Worker

  constructor({ role, entry, workerData, onMessage }: WorkerThreadSpec) {
    this.#worker = new Worker(new URL(entry, import.meta.url), {
      workerData,
      name: role,
      resourceLimits: threadLimits(role),
    })
    let error: Failure | null = null
    const lifecycle = new Lifecycle(onMessage)
    const ended = withResolvers<WorkerEnd>()
    this.#worker.on('message', (message: FromWorker) => {
      lifecycle.receive(message)
      if (message.t === 'done' || message.t === 'failed') this.#terminateLater()
    })
    this.#worker.on('error', (thrown) => {
      error = failureOf(thrown)
    })
    this.#worker.on('exit', (code) => {
      const { message = `the thread ended with code ${code}`, hint } = error ?? {}
      ended.resolve(lifecycle.reported ?? { how: 'crashed', message, hint })
    })
    this.ready = lifecycle.ready
    this.ended = ended.promise
  }

  post(message: unknown): void {
    this.#worker.postMessage(message)
  }

  terminate(): void {
    void this.#worker.terminate()
  }

  #terminateLater(): void {
    setTimeout(() => this.terminate(), LINGER_MS).unref()
  }
}
