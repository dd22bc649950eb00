/** The capture worker's thread entry: `workerData` is a `CaptureWorkerData`, what it posts is `FromWorker`. */
import { parentPort, workerData } from 'node:worker_threads'
import { runCapture } from './run.ts'
import type { CaptureWorkerData } from './worker-data.ts'

const port = parentPort!
await runCapture(workerData as CaptureWorkerData, port, (message) => port.postMessage(message))
