/**
 * One capture worker or the shipper, from start to end: starts the thread, relays what it posts, says how it ended.
 *
 *     starting ──ready──▶ ready ──drain──▶ draining ──done──▶ stopped
 *         └──────────────────┴── failed, crashed ──────────────▲
 */
import { Worker } from 'node:worker_threads'
import { withResolvers } from '../async/with-resolvers.ts'
import type { ToCapture } from '../capture/worker-data.ts'
import { errorText, type Failure } from '../errors.ts'
import { Doorbell } from '../ring/doorbell.ts'
import { COMMAND_DRAIN, COMMAND_STOP, Control } from '../thread/control.ts'
import type { FromWorker } from '../thread/messages.ts'

/**
 * Capture and assembler threads make next to no garbage, and the shipper's is short-lived: a small young generation costs
 * them nothing (measured) and keeps each some 5 MB smaller.
 */
export const THREAD_LIMITS = { maxYoungGenerationSizeMb: 3 } as const

export type WorkerState = 'starting' | 'ready' | 'draining' | 'stopped'

/** How a worker ended: its own word, or a crash, after which the same rings can be taken up again. */
export type WorkerEnd = { how: 'done' } | { how: 'failed'; failure: Failure } | { how: 'crashed'; message: string }

export interface WorkerSpec {
  role: 'capture' | 'ship'
  /** Compiled entry, relative to this module. */
  entry: string
  workerData: { control: SharedArrayBuffer; ownBell: SharedArrayBuffer }
  /** What it posts, but for its lifecycle messages. */
  onMessage: (message: FromWorker) => void
}

export class WorkerThread {
  readonly role: string
  /** Resolves once the thread has taken up its work. Rejects never; a worker that cannot start ends instead. */
  readonly ready: Promise<void>
  /** Resolves once the thread has gone. */
  readonly ended: Promise<WorkerEnd>
  readonly control: Control
  #state: WorkerState = 'starting'
  readonly #bell: Doorbell
  readonly #worker: Worker

  constructor(spec: WorkerSpec) {
    this.role = spec.role
    this.control = new Control(spec.workerData.control)
    this.#bell = new Doorbell(spec.workerData.ownBell)
    this.#worker = new Worker(new URL(spec.entry, import.meta.url), {
      workerData: spec.workerData,
      name: spec.role,
      resourceLimits: THREAD_LIMITS,
    })
    let said: WorkerEnd | null = null
    let crash: string | null = null
    const ready = withResolvers<void>()
    const ended = withResolvers<WorkerEnd>()
    this.#worker.on('message', (message: FromWorker) => {
      if (message.t === 'ready') {
        if (this.#state === 'starting') this.#state = 'ready'
        ready.resolve()
      } else if (message.t === 'done') {
        said = { how: 'done' }
        this.#seeOut()
      } else if (message.t === 'failed') {
        const { t: _, ...failure } = message
        said = { how: 'failed', failure }
      } else spec.onMessage(message)
    })
    this.#worker.on('error', (error) => {
      crash = errorText(error)
    })
    this.#worker.on('exit', (code) => {
      this.#state = 'stopped'
      ready.resolve()
      ended.resolve(said ?? { how: 'crashed', message: crash ?? `thread ended with code ${code}` })
    })
    this.ready = ready.promise
    this.ended = ended.promise
  }

  get state(): WorkerState {
    return this.#state
  }

  /** Says something to a worker that reads its mail (mailbox.ts). What one that has ended was told is lost. */
  post(message: ToCapture): void {
    this.#worker.postMessage(message)
    this.control.announceMail()
    this.#bell.ring()
  }

  /** Finish what is there, then end. */
  drain(): void {
    if (this.#state === 'stopped') return
    this.#state = 'draining'
    this.#command(COMMAND_DRAIN)
  }

  /** End now; what is lost is counted. */
  stop(): void {
    this.#command(COMMAND_STOP)
  }

  /** The last resort, for a worker that obeys no command. */
  async terminate(): Promise<void> {
    await this.#worker.terminate()
  }

  /** A thread that has said its last word and does not go, a socket holding it, is taken out. */
  #seeOut(): void {
    setTimeout(() => void this.#worker.terminate(), LINGER_MS).unref()
  }

  #command(command: number): void {
    this.control.command = command
    this.#bell.ring()
  }
}

/** How long a thread may take to go once it is done. */
const LINGER_MS = 2_000
