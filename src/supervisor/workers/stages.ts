/** Where the stages of a run work: see arrangement.ts. */
import type { AssembleTask, KnownInterface } from '../../assemble/worker-data.ts'
import type { CaptureWorkerData } from '../../capture/worker-data.ts'
import type { ShipWorkerData } from '../../ship/worker-data.ts'
import type { FromWorker } from '../../thread/messages.ts'
import type { WorkerRun } from './worker-thread.ts'

/** Receives what a worker posts, except for its lifecycle messages. */
export type OnMessage = (message: FromWorker) => void

/** Each method starts a worker, which continues with the rings and counters of the one before it in its slot. */
export interface Stages {
  /** Whether the assembler shares the capture stage's thread. */
  readonly sharesThreads: boolean
  capture(data: CaptureWorkerData, onMessage: OnMessage): WorkerRun
  /** @param onInterface called for each interface that a ring announces */
  assemble(task: Omit<AssembleTask, 'port'>, onInterface: (known: KnownInterface) => void): WorkerRun
  ship(data: ShipWorkerData, onMessage: OnMessage): WorkerRun
}
