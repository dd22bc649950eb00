/** The capture worker's thread entry: `workerData` is a `CaptureWorkerData`, what it posts is `FromWorker`. */
import { parentPort, workerData } from 'node:worker_threads'
import type { CaptureWorkerData, FromWorker } from '../messages.ts'
import { runCapture } from './run.ts'

await runCapture(workerData as CaptureWorkerData, (message: FromWorker) => parentPort?.postMessage(message))
