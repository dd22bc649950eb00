/** Thread entry of the shipper. `workerData` is a `ShipWorkerData`; it posts `FromWorker` messages. */
import { parentPort, workerData } from 'node:worker_threads'
import { runShipper } from './run.ts'
import type { ShipWorkerData } from './worker-data.ts'

await runShipper(workerData as ShipWorkerData, (message, transfer) => parentPort?.postMessage(message, transfer))
