/** A thread that reads and assembles, and another one for the shipper. Main thread. */
import { MessageChannel, Worker } from 'node:worker_threads'
import type { AssembleTask, KnownInterface } from '../../assemble/worker-data.ts'
import { withResolvers } from '../../async/with-resolvers.ts'
import type { CaptureWorkerData } from '../../capture/worker-data.ts'
import { failureOf } from '../../errors.ts'
import type { ShipWorkerData } from '../../ship/worker-data.ts'
import type { FromStage, Stage, StartStage } from './read-messages.ts'
import type { OnMessage, Stages } from './stages.ts'
import { threads } from './threads.ts'
import { Lifecycle, threadLimits, type WorkerEnd, type WorkerRun } from './worker-thread.ts'

/** One run's stages. The thread exists while one of its stages runs. */
export class ReadThread implements Stages {
  readonly sharesThreads = true
  #thread: SharedThread | null = null

  capture(data: CaptureWorkerData, onMessage: OnMessage): WorkerRun {
    return this.#start({ stage: 'capture', data }, { onMessage })
  }

  assemble(task: Omit<AssembleTask, 'port'>, onInterface: (known: KnownInterface) => void): WorkerRun {
    const { port1, port2 } = new MessageChannel()
    const run = this.#start({ stage: 'assemble', task: { ...task, port: port2 } }, { onInterface })
    return { ...run, post: (message) => port1.postMessage(message) }
  }

  ship(data: ShipWorkerData, onMessage: OnMessage): WorkerRun {
    return threads.ship(data, onMessage)
  }

  #start(message: StartStage, receivers: Receivers): WorkerRun {
    if (this.#thread?.isEnding !== false) this.#thread = new SharedThread()
    return this.#thread.start(message, receivers)
  }
}

interface Receivers {
  onMessage?: OnMessage
  onInterface?: (known: KnownInterface) => void
}

interface StageRun {
  lifecycle: Lifecycle
  onInterface: (known: KnownInterface) => void
  end: (end: WorkerEnd) => void
}

class SharedThread {
  /** Whether no further stage may be started. */
  isEnding = false
  readonly #worker: Worker
  readonly #runs = new Map<Stage, StageRun>()
  /** Why the thread was terminated. */
  #why: string | undefined

  constructor() {
    this.#worker = new Worker(new URL('./read.worker.js', import.meta.url), {
      name: 'read',
      resourceLimits: threadLimits('assemble'),
    })
    let error: { message: string; hint: string | null } | null = null
    this.#worker.on('message', (message: FromStage) => this.#receive(message))
    this.#worker.on('error', (thrown) => {
      error = failureOf(thrown)
    })
    this.#worker.on('exit', (code) => {
      this.isEnding = true
      const { message = this.#why ?? `the thread ended with code ${code}`, hint } = error ?? {}
      for (const { end } of this.#runs.values()) end({ how: 'crashed', message, hint })
    })
  }

  start(message: StartStage, { onMessage = () => {}, onInterface = () => {} }: Receivers): WorkerRun {
    const lifecycle = new Lifecycle(onMessage)
    const ended = withResolvers<WorkerEnd>()
    this.#runs.set(message.stage, { lifecycle, onInterface, end: ended.resolve })
    this.#worker.postMessage(message, message.stage === 'assemble' ? [message.task.port] : [])
    const terminate = (why?: string): void => {
      this.#why ??= why
      void this.#worker.terminate()
    }
    return { ready: lifecycle.ready, ended: ended.promise, post: () => {}, terminate }
  }

  #receive(message: FromStage): void {
    const run = this.#runs.get(message.stage)
    if (message.t === 'posted') run?.lifecycle.receive(message.message)
    else if (message.t === 'interface') run?.onInterface(message.known)
    else void this.#ended(message.stage, message.end)
  }

  /** The end of the last stage is reported once the thread has ended. */
  async #ended(stage: Stage, end: WorkerEnd): Promise<void> {
    const run = this.#runs.get(stage)
    this.#runs.delete(stage)
    if (this.#runs.size === 0) {
      this.isEnding = true
      await this.#worker.terminate()
    }
    run?.end(end)
  }
}
