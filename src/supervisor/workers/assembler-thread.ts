/**
 * The thread of one run of an assembler: a Piscina pool of a single thread with one long task. Each slot has a pool of its
 * own, because a hung thread is replaced by destroying its pool, which must not affect other assemblers. Main thread.
 */
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { Piscina } from 'piscina'
import type { AssembleTask, FromAssembler, KnownInterface, ToAssembler } from '../../assemble/worker-data.ts'
import { withResolvers } from '../../async/with-resolvers.ts'
import { failureOf } from '../../errors.ts'
import { threadLimits, type WorkerEnd, type WorkerRun } from './worker-thread.ts'

export class AssemblerThread implements WorkerRun {
  readonly ready: Promise<void>
  readonly ended: Promise<WorkerEnd>
  readonly #pool: Piscina
  readonly #port: MessagePort
  #destroyed: Promise<void> | null = null

  /** @param onInterface called for each interface that a ring announces */
  constructor(task: Omit<AssembleTask, 'port'>, onInterface: (known: KnownInterface) => void) {
    const ready = withResolvers<void>()
    this.#pool = new Piscina({
      filename: new URL('../../assemble/assemble.worker.js', import.meta.url).href,
      name: 'assemble',
      minThreads: 1,
      maxThreads: 1,
      idleTimeout: Number.POSITIVE_INFINITY,
      concurrentTasksPerWorker: 1,
      atomics: 'disabled',
      recordTiming: false,
      resourceLimits: threadLimits('assemble'),
    })
    this.#pool.on('message', (message: FromAssembler) => {
      if (message.t === 'ready') ready.resolve()
      else onInterface({ id: message.id, info: message.info })
    })
    // When a thread fails, its task rejects too: the error is handled there.
    this.#pool.on('error', () => {})
    const { port1, port2 } = new MessageChannel()
    this.#port = port1
    this.ready = ready.promise
    this.ended = this.#work({ ...task, port: port2 })
  }

  post(message: ToAssembler): void {
    this.#port.postMessage(message)
  }

  terminate(): void {
    void this.#destroy()
  }

  async #work(task: AssembleTask): Promise<WorkerEnd> {
    let end: WorkerEnd = { how: 'done' }
    try {
      await this.#pool.run(task, { transferList: [task.port] })
    } catch (error) {
      const { message, hint } = failureOf(error)
      end = { how: 'crashed', message, hint }
    }
    this.#port.close()
    await this.#destroy()
    return end
  }

  /** Resolves once the thread has ended. A second call to Piscina's `destroy` would resolve earlier. */
  #destroy(): Promise<void> {
    // Piscina replaces a thread that ends after `destroy`; nothing would ever end the replacement.
    this.#pool.options.minThreads = 0
    this.#destroyed ??= this.#pool.destroy()
    return this.#destroyed
  }
}
