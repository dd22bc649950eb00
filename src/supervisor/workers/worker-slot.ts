/**
 * A worker's place in the pipeline, and the one lifecycle of all workers: a thread is started when it is needed, watched
 * through its heartbeat, and replaced after a crash, with the same rings and counters. Main thread.
 *
 *     idle ──start──▶ starting ──▶ ready ──drain──▶ draining ──done──▶ stopped
 *                        ▲  │        │                  │                 ▲
 *                  delay │  ▼ crash  ▼ crash or hang    ▼ crash           │
 *                        └─ waiting ◀────────────────────      failed ────┘
 *
 * A crash is followed by a delay that grows with each crash and starts over once a run was healthy. A slot ends when its
 * run is done or reports a failure that a restart would not change, when a stopped run has ended, and when restarting
 * does not help: while draining, or at the very beginning.
 */
import { withResolvers } from '../../async/with-resolvers.ts'
import { failureOf } from '../../errors.ts'
import type { ThreadObservation, WorkerState } from '../../ledger/observation.ts'
import type { Log } from '../../log/folded-log.ts'
import { COMMAND_DRAIN, COMMAND_STOP, Control } from '../../thread/control.ts'
import { HeartbeatMonitor } from '../../thread/heartbeat-monitor.ts'
import { RestartPolicy } from './restart-policy.ts'
import type { WorkerEnd, WorkerRun } from './worker-thread.ts'

export interface WorkerSlotSpec {
  role: 'capture' | 'assemble' | 'ship'
  slot: number
  control: SharedArrayBuffer
  /** Of the workers that may share its thread: their heartbeats count for it. */
  threadMates: readonly Control[]
  /** Wakes the thread, after a command or a message. */
  wake: () => void
  /** Starts a thread, with the slot's control block, rings and counters. */
  launch: () => WorkerRun
  /** Whether a crashed run is followed by another. */
  isRestartable: boolean
  /** Whether a silent heartbeat is a crash. False where a worker may wait inside a system call without saying so. */
  mayHang: boolean
  /**
   * Whether other workers of the role work. One that is added to them, and cannot start, is started later. Absent:
   * there are none.
   */
  peersWork?: (() => boolean) | undefined
  /** A run has crashed and its thread has ended: counts what it held. */
  onCrash: () => void
  log: Log
  /** A monotonic clock, milliseconds. Absent: `performance.now`. */
  now?: () => number
  /** 0 to 1, for the delays. Absent: `Math.random`. */
  random?: () => number
}

/** A worker advances its heartbeat at least once a second, so a silence of this length is a hang. */
const HANG_MS = 2_500
/** Silence that is a hang before the worker is ready: it loads code, which may be slow, without advancing the heartbeat. */
const START_HANG_MS = 30_000
/** A terminated thread that still runs after this time is blocked in a system call. */
const TERMINATE_MS = 2_000
const NAMES = { capture: 'capture worker', assemble: 'assembler', ship: 'shipper' } as const

export class WorkerSlot {
  /** Resolves once the slot's last thread has ended and no other will be started. */
  readonly ended: Promise<WorkerEnd>
  readonly control: Control
  readonly #spec: WorkerSlotSpec
  readonly #now: () => number
  readonly #end = withResolvers<WorkerEnd>()
  readonly #heartbeat: HeartbeatMonitor
  readonly #policy: RestartPolicy
  #state: WorkerState = 'idle'
  #run: WorkerRun | null = null
  #ready = withResolvers<void>()
  /** When the run became ready; null: not yet. */
  #readySinceMs: number | null = null
  #restartAtMs = 0
  #draining = false
  #stopping = false
  /** Why and when the run was terminated as hung; null: it was not. */
  #hang: { message: string; atMs: number; reported: boolean } | null = null

  constructor(spec: WorkerSlotSpec) {
    this.#spec = spec
    this.#now = spec.now ?? (() => performance.now())
    this.control = new Control(spec.control)
    this.#heartbeat = new HeartbeatMonitor([this.control, ...spec.threadMates], this.#now())
    this.#policy = new RestartPolicy(spec.random)
    this.ended = this.#end.promise
  }

  get state(): WorkerState {
    return this.#state
  }

  /** Crashed runs that were followed by another. */
  get restarts(): number {
    return this.#policy.restarts
  }

  /** Whether a thread runs and is ready. */
  get works(): boolean {
    return this.#state === 'ready'
  }

  /** Whether a thread was ever started. */
  get started(): boolean {
    return this.#state !== 'idle'
  }

  /** Starts a thread, if none was. @returns resolves once a run is ready, or the slot has ended */
  start(): Promise<void> {
    if (this.#state === 'idle') this.#launch()
    return this.#ready.promise
  }

  /** Posts to the running thread. A thread that starts later receives the same state through `launch`. */
  post(message: unknown): void {
    this.#run?.post(message)
    this.control.announceMail()
    this.#spec.wake()
  }

  /** Finish pending work, then end. A slot that was never started ends at once; one that waits restarts to finish. */
  drain(): void {
    this.#draining = true
    if (this.#state === 'idle') this.#finish({ how: 'done' })
    if (this.#state === 'stopped') return
    if (this.#state === 'ready') this.#state = 'draining'
    this.#restartAtMs = 0
    this.#command(COMMAND_DRAIN)
  }

  /** End now; what is lost is counted. */
  stop(): void {
    this.#stopping = true
    if (this.#run === null) this.#finish({ how: 'done' })
    if (this.#state !== 'stopped') this.#command(COMMAND_STOP)
  }

  /** The last resort, for a thread that does not obey a command. */
  terminate(): void {
    this.#run?.terminate()
  }

  /** Terminates a hung thread, and starts the next one once its delay has passed. Call it several times a second. */
  check(): void {
    const nowMs = this.#now()
    const silentMs = this.#heartbeat.silentMs(nowMs)
    if (this.#state === 'waiting' && nowMs >= this.#restartAtMs) this.#launch()
    if (this.#run === null || !this.#spec.mayHang) return
    if (this.#hang !== null) this.#reportStuck(nowMs)
    else if (silentMs >= (this.#readySinceMs === null ? START_HANG_MS : HANG_MS)) this.#terminateHung(nowMs, silentMs)
  }

  /** State of the slot; null: it has no thread, and none is going to be started by itself. */
  observe(): ThreadObservation | null {
    if (this.#state === 'idle' || this.#state === 'stopped') return null
    const { role, slot } = this.#spec
    const nowMs = this.#now()
    return {
      role,
      slot,
      state: this.#state,
      cpuSeconds: this.control.cpuSeconds,
      silentMs: this.#heartbeat.silentMs(nowMs),
      restarts: this.restarts,
      crashLooping: this.#policy.isLooping(nowMs),
    }
  }

  #launch(): void {
    const run = this.#start()
    this.#run = run
    this.#state = 'starting'
    this.#readySinceMs = null
    this.#hang = null
    this.#heartbeat.reset(this.#now())
    void run.ready.then(() => this.#onReady(run))
    void run.ended.then((end) => this.#onEnd(run, end))
  }

  /** A thread that cannot be created, because a limit is reached, has crashed. */
  #start(): WorkerRun {
    try {
      return this.#spec.launch()
    } catch (error) {
      const { message, hint } = failureOf(error)
      const ended = Promise.resolve({ how: 'crashed', message, hint } as const)
      return { ready: new Promise(() => {}), ended, post: () => {}, terminate: () => {} }
    }
  }

  #onReady(run: WorkerRun): void {
    if (run !== this.#run || this.#state !== 'starting') return
    this.#state = this.#draining ? 'draining' : 'ready'
    this.#readySinceMs = this.#now()
    this.#heartbeat.reset(this.#readySinceMs)
    this.#policy.hasWorked = true
    this.#ready.resolve()
  }

  #onEnd(run: WorkerRun, end: WorkerEnd): void {
    if (run !== this.#run) return
    this.#run = null
    if (end.how !== 'crashed') {
      this.#finish(end)
      return
    }
    this.#spec.onCrash()
    this.#policy.hasWorked ||= this.#spec.peersWork?.() === true
    const { hint = null } = end
    // A hint before the first `ready`: the system lacks something that no restart can provide.
    const isFinal = hint !== null && !this.#policy.hasWorked
    const message = this.#hang?.message ?? end.message
    if (!isFinal && this.#restartLater(message)) return
    this.#finish(hint !== null ? end : { how: 'crashed', message: `the ${NAMES[this.#spec.role]} failed: ${message}` })
  }

  /** @returns false when the crash is not followed by another run */
  #restartLater(message: string): boolean {
    if (!this.#spec.isRestartable || this.#stopping) return false
    const nowMs = this.#now()
    const readySinceMs = this.#readySinceMs
    const readyMs = readySinceMs === null ? null : nowMs - readySinceMs
    const delayMs = this.#policy.crashed({ nowMs, readyMs, isDraining: this.#draining })
    if (delayMs === null) return false
    this.#restartAtMs = nowMs + delayMs
    this.#state = 'waiting'
    setTimeout(() => this.check(), Math.ceil(delayMs) + 1).unref()
    if (readyMs !== null) this.#ready = withResolvers()
    const { role, slot, log } = this.#spec
    log.error(`the ${NAMES[role]} failed and is restarted`, { slot, delayMs, error: message })
    return true
  }

  #terminateHung(nowMs: number, silentMs: number): void {
    const message = `no heartbeat for ${(silentMs / 1000).toFixed(1)} s`
    this.#hang = { message, atMs: nowMs, reported: false }
    this.#run?.terminate(message)
  }

  #reportStuck(nowMs: number): void {
    if (this.#hang === null || this.#hang.reported || nowMs - this.#hang.atMs < TERMINATE_MS) return
    this.#hang.reported = true
    const { role, slot, log } = this.#spec
    log.error(`the ${NAMES[role]} does not respond and cannot be terminated: it waits in a system call`, { slot })
  }

  #finish(end: WorkerEnd): void {
    if (this.#state === 'stopped') return
    this.#state = 'stopped'
    this.#ready.resolve()
    this.#end.resolve(end)
  }

  #command(command: number): void {
    this.control.command = command
    this.#spec.wake()
  }
}
