/** The capture worker's thread entry: `workerData` is a `CaptureWorkerData`, what it posts is `FromWorker`. */
import { parentPort, workerData } from 'node:worker_threads'
import type { CaptureWorkerData } from '../thread/messages.ts'
import { runCapture } from './run.ts'

const port = parentPort!
await runCapture(workerData as CaptureWorkerData, port, (message) => port.postMessage(message))
