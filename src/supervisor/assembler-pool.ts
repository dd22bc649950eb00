/**
 * The assemblers: a Piscina pool of fixed size with one long task per slot. A slot whose task rejects has its books
 * closed and is run again on the same rings; a pool whose worker failed while starting is built anew, because Piscina
 * respawns nothing after that.
 */
import { Piscina } from 'piscina'
import type { AssembleTask, KnownInterface } from '../assemble/worker-data.ts'
import { Control } from '../control.ts'
import { errorText } from '../errors.ts'
import type { Logger } from '../log.ts'
import { COMMAND_STOP } from '../messages.ts'
import { Doorbell } from '../ring/doorbell.ts'
import { closeBooks } from './close-books.ts'
import { pause } from './pause.ts'
import { THREAD_LIMITS } from './worker-thread.ts'

/** First pause before a slot is run again; doubles up to the longest. */
const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 5_000
const READY_LOOK_MS = 5

export class AssemblerPool {
  /** Resolves when every slot has come to the end of its input. */
  readonly ended: Promise<void>
  /** Times a slot was run again. */
  restarts = 0
  readonly #tasks: readonly AssembleTask[]
  readonly #log: Logger
  #pool: Piscina
  #stopping = false

  constructor(tasks: readonly AssembleTask[], log: Logger) {
    this.#tasks = tasks
    this.#log = log
    this.#pool = this.#build()
    this.ended = Promise.all(tasks.map((task) => this.#keepRunning(task))).then(() => this.#pool.destroy())
  }

  /** Resolves when every slot has begun to look for frames, or the pool has ended. */
  async ready(): Promise<void> {
    const controls = this.#tasks.map((task) => new Control(task.control))
    let ended = false
    void this.ended.then(() => {
      ended = true
    })
    while (!ended && controls.some((control) => control.heartbeat === 0)) await pause(READY_LOOK_MS)
  }

  /** Ends every slot now. */
  stop(): void {
    this.#stopping = true
    for (const task of this.#tasks) {
      new Control(task.control).command = COMMAND_STOP
      new Doorbell(task.ownBell).ring()
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
      minThreads: this.#tasks.length,
      maxThreads: this.#tasks.length,
      idleTimeout: Number.POSITIVE_INFINITY,
      concurrentTasksPerWorker: 1,
      atomics: 'disabled',
      recordTiming: false,
      resourceLimits: THREAD_LIMITS,
    })
    pool.on('message', (known: KnownInterface) => this.#tasks[known.slot].interfaces.push(known))
    pool.on('error', (error: unknown) => this.#log.error('assembler thread failed', { error: errorText(error) }))
    return pool
  }

  async #keepRunning(task: AssembleTask): Promise<void> {
    let pauseMs = FIRST_PAUSE_MS
    for (;;) {
      const pool = this.#pool
      try {
        await pool.run(task)
        return
      } catch (error) {
        closeBooks(task.counters)
        if (this.#stopping) return
        this.restarts++
        this.#log.error('assembler failed and is started again', { slot: task.slot, error: errorText(error) })
        await pause(pauseMs)
        pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)
        if (pool === this.#pool && pool.threads.length < this.#tasks.length) this.#rebuild(pool)
      }
    }
  }

  /** Threads are missing: the pool has stopped replacing them. Tasks of the old one reject and run in the new one. */
  #rebuild(old: Piscina): void {
    this.#pool = this.#build()
    void old.destroy()
  }
}
