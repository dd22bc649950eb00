/** Thread entry: counts without ever turning its event loop, as an assembler under more load than it can take. */
import { parentPort, workerData } from 'node:worker_threads'

const { values, index } = workerData as { values: Float64Array; index: number }
parentPort?.postMessage('counting')
for (;;) values[index] += 1
