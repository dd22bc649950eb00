/** Thread entry: counts and never returns to its event loop, as an assembler does that is overloaded. */
import { parentPort, workerData } from 'node:worker_threads'

const { values, index } = workerData as { values: Float64Array; index: number }
parentPort?.postMessage('counting')
for (;;) values[index] += 1
