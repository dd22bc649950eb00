/** Every stage in a thread of its own. Main thread. */
import { AssemblerThread } from './assembler-thread.ts'
import type { Stages } from './stages.ts'
import { WorkerThread } from './worker-thread.ts'

export const threads: Stages = {
  sharesThreads: false,
  capture(workerData, onMessage) {
    return new WorkerThread({ role: 'capture', entry: '../../capture/capture.worker.js', workerData, onMessage })
  },
  assemble(task, onInterface) {
    return new AssemblerThread(task, onInterface)
  },
  ship(workerData, onMessage) {
    return new WorkerThread({ role: 'ship', entry: '../../ship/ship.worker.js', workerData, onMessage })
  },
}
