/**
 * The assemblers: a Piscina pool of fixed size with one long task per slot. A slot whose task rejects has its books
 * closed and is run again on the same rings; a pool whose worker failed while starting is built anew, because Piscina
 * respawns nothing after that.
 */
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { Piscina } from 'piscina'
import type { AssembleTask, KnownInterface, ToAssembler } from '../assemble/worker-data.ts'
import { pause } from '../async/pause.ts'
import { errorText } from '../errors.ts'
import { countAssemblerLosses } from '../ledger/crash-losses.ts'
import type { ThreadObservation } from '../ledger/observation.ts'
import type { Logger } from '../log/logger.ts'
import { Doorbell } from '../ring/doorbell.ts'
import { COMMAND_STOP, Control } from '../thread/control.ts'
import { HeartbeatMonitor } from '../thread/heartbeat-monitor.ts'
import type { AssemblerState } from './assembler-state.ts'
import { THREAD_LIMITS } from './worker-thread.ts'

/** First pause before a slot is run again; doubles up to the longest. */
const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 5_000
const READY_LOOK_MS = 5

/** What a slot works with, whichever thread does. */
export type AssembleSlot = Omit<AssembleTask, 'interfaces' | 'addresses' | 'port'>

/** A slot as the pool keeps it. */
interface Place {
  readonly slot: AssembleSlot
  readonly control: Control
  readonly bell: Doorbell
  readonly heartbeat: HeartbeatMonitor
  /** The way to the thread that works there; null while none does. */
  port: MessagePort | null
  restarts: number
}

export class AssemblerPool {
  /** Resolves when every slot has come to the end of its input. */
  readonly ended: Promise<void>
  readonly #places: readonly Place[]
  readonly #state: AssemblerState
  readonly #log: Logger
  #pool: Piscina
  #stopping = false

  /** @param state what the assemblers know from the beginning; it is to be told all that is posted, before */
  constructor(slots: readonly AssembleSlot[], state: AssemblerState, log: Logger) {
    this.#places = slots.map(placeOf)
    this.#state = state
    this.#log = log
    this.#pool = this.#build()
    this.ended = Promise.all(this.#places.map((place) => this.#keepRunning(place))).then(() => this.#pool.destroy())
  }

  /** Times a slot was run again. */
  get restarts(): number {
    return this.#places.reduce((sum, { restarts }) => sum + restarts, 0)
  }

  /** Resolves when every slot has begun to look for frames, or the pool has ended. */
  async ready(): Promise<void> {
    let ended = false
    void this.ended.then(() => {
      ended = true
    })
    while (!ended && this.#places.some(({ control }) => control.heartbeat === 0)) await pause(READY_LOOK_MS)
  }

  /** Tells every assembler. What one reads from its rings after this, it reads knowing it. */
  post(message: ToAssembler): void {
    for (const { port, control, bell } of this.#places) {
      port?.postMessage(message)
      control.announceMail()
      bell.ring()
    }
  }

  /** To be called several times a second. */
  observe(now: number): ThreadObservation[] {
    return this.#places.map(({ slot, control, heartbeat, restarts }) => ({
      role: 'assemble',
      slot: slot.slot,
      cpuSeconds: control.cpuSeconds,
      silentMs: heartbeat.silentMs(now),
      restarts,
    }))
  }

  /** Ends every slot now. */
  stop(): void {
    this.#stopping = true
    for (const { control, bell } of this.#places) {
      control.command = COMMAND_STOP
      bell.ring()
    }
  }

  /** The last resort, for slots that obey no command. */
  terminate(): void {
    void this.#pool.destroy()
  }

  #build(): Piscina {
    const pool = new Piscina({
      filename: new URL('../assemble/assemble.worker.js', import.meta.url).href,
      name: 'assemble',
      minThreads: this.#places.length,
      maxThreads: this.#places.length,
      idleTimeout: Number.POSITIVE_INFINITY,
      concurrentTasksPerWorker: 1,
      atomics: 'disabled',
      recordTiming: false,
      resourceLimits: THREAD_LIMITS,
    })
    pool.on('message', ({ id, info }: KnownInterface) => this.#state.apply({ t: 'interface', id, info }))
    pool.on('error', (error: unknown) => this.#log.error('assembler thread failed', { error: errorText(error) }))
    return pool
  }

  async #keepRunning(place: Place): Promise<void> {
    const { slot } = place
    let pauseMs = FIRST_PAUSE_MS
    for (;;) {
      const pool = this.#pool
      try {
        await this.#run(pool, place)
        return
      } catch (error) {
        countAssemblerLosses(slot.counters)
        if (this.#stopping) return
        place.restarts++
        this.#log.error('assembler failed and is started again', { slot: slot.slot, error: errorText(error) })
        await pause(pauseMs)
        pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)
        if (pool === this.#pool && pool.threads.length < this.#places.length) this.#rebuild(pool)
      }
    }
  }

  /** One run of a slot, which knows all that was said until now and hears what is said meanwhile. */
  async #run(pool: Piscina, place: Place): Promise<void> {
    const { port1, port2 } = new MessageChannel()
    place.port = port1
    const { interfaces, addresses, filter, policy } = this.#state
    const { slot } = place
    const task: AssembleTask = {
      ...slot,
      options: { ...slot.options, ...policy, filter },
      interfaces,
      addresses,
      port: port2,
    }
    try {
      await pool.run(task, { transferList: [port2] })
    } finally {
      place.port = null
      port1.close()
    }
  }

  /** Threads are missing: the pool has stopped replacing them. Tasks of the old one reject and run in the new one. */
  #rebuild(old: Piscina): void {
    this.#pool = this.#build()
    void old.destroy()
  }
}

function placeOf(slot: AssembleSlot): Place {
  const control = new Control(slot.control)
  const bell = new Doorbell(slot.ownBell)
  return { slot, control, bell, heartbeat: new HeartbeatMonitor(control, performance.now()), port: null, restarts: 0 }
}
