/**
 * Stages in the main thread, with another thread that watches them (watch.worker.ts): nothing else could end one that
 * loops without end, and no signal would reach the program. The thread costs as much as reading 20 MiB
 * (bench/findings.md), so it starts late.
 */
import { Worker } from 'node:worker_threads'
import type { AssembleTask, KnownInterface } from '../../assemble/worker-data.ts'
import type { CaptureWorkerData } from '../../capture/worker-data.ts'
import type { ShipWorkerData } from '../../ship/worker-data.ts'
import { OneThread } from './one-thread.ts'
import type { OnMessage } from './stages.ts'
import type { WorkerRun } from './worker-thread.ts'

/** What the watching thread gets. */
export interface WatchData {
  /**
   * Control blocks of the workers in the main thread, which hangs where none of their heartbeats changes although it
   * uses CPU time.
   */
  controls: SharedArrayBuffer[]
  /** One Int32, on which the thread sleeps. 1: it is to end. */
  end: SharedArrayBuffer
}

/** Most runs are shorter. */
const WATCH_AFTER_MS = 1_000

/** One run's stages. */
export class WatchedThread extends OneThread {
  readonly #end = new Int32Array(new SharedArrayBuffer(4))
  #controls: SharedArrayBuffer[] = []
  #begin: NodeJS.Timeout | undefined

  override assemble(task: Omit<AssembleTask, 'port'>, onInterface: (known: KnownInterface) => void): WorkerRun {
    this.#controls = [task.control]
    return super.assemble(task, onInterface)
  }

  override capture(data: CaptureWorkerData, onMessage: OnMessage): WorkerRun {
    this.#begin = setTimeout(() => this.#watch([data.control, ...this.#controls]), WATCH_AFTER_MS)
    return super.capture(data, onMessage)
  }

  override ship(data: ShipWorkerData, onMessage: OnMessage): WorkerRun {
    const run = super.ship(data, onMessage)
    void run.ended.then(() => this.#endWatch())
    return run
  }

  /** Where no further thread can be started, the files are read all the same. */
  #watch(controls: SharedArrayBuffer[]): void {
    try {
      const worker = new Worker(new URL('./watch.worker.js', import.meta.url), {
        name: 'watch',
        workerData: { controls, end: this.#end.buffer } satisfies WatchData,
      })
      worker.on('message', (why: string) => this.abandon(why))
      worker.on('error', () => {})
      worker.unref()
    } catch {
      // Thrown, not posted as an error, where the process may not have one more thread.
    }
  }

  #endWatch(): void {
    clearTimeout(this.#begin)
    Atomics.store(this.#end, 0, 1)
    Atomics.notify(this.#end, 0)
  }
}
