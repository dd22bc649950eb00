/**
 * One end of a ring on a thread of its own. Both ends draw the records' lengths from one seed; the waits have no short
 * timeout to fall back on, so a lost wake-up shows as a test that never ends.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { RingConsumer, RingProducer } from '../../src/ring/byte-ring.ts'
import { Doorbell } from '../../src/ring/doorbell.ts'
import { produce, Random, Verifier } from './records.ts'

const FOREVER_MS = 3_600_000

interface ThreadData {
  role: 'producer' | 'consumer'
  ring: SharedArrayBuffer
  producerBell: SharedArrayBuffer
  consumerBell: SharedArrayBuffer
  seed: number
  count: number
  maxLength: number
}

const { role, ring, producerBell, consumerBell, seed, count, maxLength } = workerData as ThreadData
const own = new Doorbell(role === 'producer' ? producerBell : consumerBell)
const other = new Doorbell(role === 'producer' ? consumerBell : producerBell)
const lengths = new Random(seed)
const nextLength = (): number => 16 + lengths.below(maxLength - 16)

if (role === 'producer') {
  const producer = new RingProducer(ring, other)
  const pace = new Random(seed + 1)
  for (let number = 0; number < count; number++) {
    const length = nextLength()
    while (!produce(producer, number, length)) {
      producer.flush()
      own.wait(FOREVER_MS, () => producer.tryClaim(length) >= 0)
    }
    if (pace.below(100) === 0) producer.flush()
  }
  producer.close()
} else {
  const consumer = new RingConsumer(ring, other)
  const verifier = new Verifier(consumer, 64 * 1024, nextLength)
  while (!consumer.finished) {
    if (!verifier.take()) own.wait(FOREVER_MS, () => !consumer.empty || consumer.finished)
  }
  parentPort?.postMessage(verifier.number)
}
