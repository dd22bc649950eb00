/** Thread entry of the capture worker. `workerData` is a `CaptureWorkerData`; it posts `FromWorker` messages. */
import { parentPort, workerData } from 'node:worker_threads'
import { runCapture } from './run.ts'
import type { CaptureWorkerData } from './worker-data.ts'

const port = parentPort!
await runCapture(workerData as CaptureWorkerData, port, (message) => port.postMessage(message))
