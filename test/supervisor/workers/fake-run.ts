/** A simulated worker thread: the test decides when it is ready and how it ends. */
import { setImmediate as turn } from 'node:timers/promises'
import { withResolvers } from '../../../src/async/with-resolvers.ts'
import type { WorkerEnd, WorkerRun } from '../../../src/supervisor/workers/worker-thread.ts'

export class FakeRun implements WorkerRun {
  readonly #ready = withResolvers<void>()
  readonly #ended = withResolvers<WorkerEnd>()
  readonly ready = this.#ready.promise
  readonly ended = this.#ended.promise
  readonly posted: unknown[] = []
  terminated = false
  /** Whether `terminate` ends the thread. */
  isInterruptible = true

  post(message: unknown): void {
    this.posted.push(message)
  }

  terminate(): void {
    this.terminated = true
    if (this.isInterruptible) void this.end({ how: 'crashed', message: 'terminated' })
  }

  async becomeReady(): Promise<void> {
    this.#ready.resolve()
    await turn()
  }

  async end(end: WorkerEnd): Promise<void> {
    this.#ended.resolve(end)
    await turn()
  }

  crash(message = 'boom'): Promise<void> {
    return this.end({ how: 'crashed', message })
  }
}
