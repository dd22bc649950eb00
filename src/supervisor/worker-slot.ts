/**
 * A place in the pipeline where a capture worker or the shipper runs: started when it is needed, run to its end, and after
 * a crash started again on the same rings, where a crash can be survived. Main thread.
 */

import { pause } from '../async/pause.ts'
import { withResolvers } from '../async/with-resolvers.ts'
import type { ToCapture } from '../capture/worker-data.ts'
import type { ThreadObservation } from '../ledger/observation.ts'
import type { Logger } from '../log/logger.ts'
import { Control } from '../thread/control.ts'
import { HeartbeatMonitor } from '../thread/heartbeat-monitor.ts'
import type { FromWorker } from '../thread/messages.ts'
import { type WorkerEnd, type WorkerSpec, WorkerThread } from './worker-thread.ts'

/** Pause before a crashed worker is started again. */
const RESTART_MS = 200

export interface WorkerSlotSpec {
  role: WorkerSpec['role']
  slot: number
  entry: string
  control: SharedArrayBuffer
  /** What a thread is started with: of the moment, with the same control block, rings and counters each time. */
  workerData: () => WorkerSpec['workerData']
  /** Whether a crashed one is started again. */
  survives: boolean
  onMessage: (message: FromWorker) => void
  /** The thread has crashed, and has gone: its books are to be closed. */
  onCrash: () => void
  log: Logger
}

export class WorkerSlot {
  /** Resolves once the slot's last thread has gone, or the slot is to stay empty. */
  readonly ended: Promise<WorkerEnd>
  readonly control: Control
  /** Times a crashed thread was started again. */
  restarts = 0
  readonly #spec: WorkerSlotSpec
  readonly #end = withResolvers<WorkerEnd>()
  readonly #heartbeat: HeartbeatMonitor
  #thread: WorkerThread | null = null
  #draining = false
  #stopping = false
  #over = false

  constructor(spec: WorkerSlotSpec) {
    this.#spec = spec
    this.control = new Control(spec.control)
    this.#heartbeat = new HeartbeatMonitor(this.control, performance.now())
    this.ended = this.#end.promise
  }

  get started(): boolean {
    return this.#thread !== null
  }

  /** Starts the thread, if it was not yet. @returns resolves once it works, or has ended */
  start(): Promise<void> {
    if (this.#thread === null && !this.#over) void this.#run()
    return this.#thread?.ready ?? Promise.resolve()
  }

  /** Tells the thread; one that starts later knows by what it is started with. */
  post(message: ToCapture): void {
    this.#thread?.post(message)
  }

  /** Finish what is there, then end. A thread that was never started will not be. */
  drain(): void {
    this.#draining = true
    if (this.#thread === null) this.#finish({ how: 'done' })
    else this.#thread.drain()
  }

  /** End now; what is lost is counted. */
  stop(): void {
    this.#stopping = true
    if (this.#thread === null) this.#finish({ how: 'done' })
    else this.#thread.stop()
  }

  /** The last resort, for a thread that obeys no command. */
  terminate(): void {
    void this.#thread?.terminate()
  }

  /** To be called several times a second. null: it does not run. */
  observe(now: number): ThreadObservation | null {
    const silentMs = this.#heartbeat.silentMs(now)
    if (this.#thread === null || this.#over) return null
    const { role, slot } = this.#spec
    return { role, slot, cpuSeconds: this.control.cpuSeconds, silentMs, restarts: this.restarts }
  }

  async #run(): Promise<void> {
    const { role, slot, entry, workerData, survives, onMessage, onCrash, log } = this.#spec
    for (;;) {
      const thread = new WorkerThread({ role, entry, workerData: workerData(), onMessage })
      this.#thread = thread
      if (this.#draining) thread.drain()
      if (this.#stopping) thread.stop()
      const end = await thread.ended
      if (end.how === 'crashed') onCrash()
      if (end.how !== 'crashed' || !survives || this.#stopping) {
        this.#finish(end)
        return
      }
      log.error(`${NAMES[role]} failed and is started again`, { slot, error: end.message })
      this.restarts += 1
      await pause(RESTART_MS)
    }
  }

  #finish(end: WorkerEnd): void {
    this.#over = true
    this.#end.resolve(end)
  }
}

const NAMES = { capture: 'capture worker', ship: 'shipper' } as const
