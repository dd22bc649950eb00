/** A worker that empties a ring slowly and counts its records, whose times are 0, 1, 2 … */
import { parentPort, workerData } from 'node:worker_threads'
import { RingConsumer } from '../../src/ring/byte-ring.ts'
import { Doorbell } from '../../src/ring/doorbell.ts'

const { ring, ownBell, otherBell } = workerData as Record<string, SharedArrayBuffer>
const consumer = new RingConsumer(ring, new Doorbell(ownBell))
const bell = new Doorbell(otherBell)
const block = new Uint8Array(4096)
const view = new DataView(block.buffer)
let records = 0

for (let turn = 0; !consumer.finished; turn++) {
  const count = consumer.peek(block, 1024)
  let used = 0
  while (used + 8 <= count) {
    const length = view.getInt32(used, true)
    if (used + Math.abs(length) > count) break
    if (length > 0 && view.getFloat64(used + 8, true) !== records++) throw new Error('out of order')
    used += Math.abs(length)
  }
  if (used > 0) consumer.release(used)
  else bell.wait(50, () => !consumer.empty || consumer.finished)
  if (turn % 50 === 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2)
}
parentPort?.postMessage(records)
