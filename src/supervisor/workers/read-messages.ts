/** What the main thread and the thread that reads and assembles post to each other (read-thread.ts). */
import type { AssembleTask, KnownInterface } from '../../assemble/worker-data.ts'
import type { CaptureWorkerData } from '../../capture/worker-data.ts'
import type { FromWorker } from '../../thread/messages.ts'
import type { WorkerEnd } from './worker-thread.ts'

/** Starts a stage, in a thread that runs none of its kind. */
export type StartStage = { stage: 'capture'; data: CaptureWorkerData } | { stage: 'assemble'; task: AssembleTask }

export type Stage = StartStage['stage']

export type FromStage = { stage: Stage } & (
  | { t: 'posted'; message: FromWorker }
  /** @see Stages.assemble */
  | { t: 'interface'; known: KnownInterface }
  | { t: 'ended'; end: WorkerEnd }
)
