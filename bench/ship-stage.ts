/**
 * The shipper alone: pairs of a capture are assembled first, then passed through a ring to the real shipper thread and
 * its Kafka sink, twice. Loading the client, connecting and compiling cost as much as 60,000 pairs, which is what the first time
 * shows; the second time shows what a pair costs an agent that runs for days.
 *
 *     node dist/bench/ship-stage.js TRACE BROKERS TOPIC CODEC    one JSON line; CODEC as in `kafka.compression`
 */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { defaultConfig } from '../src/config/load.ts'
import { CODEC_NUMBERS, type Compression } from '../src/kafka/codecs.ts'
import { allocateCounters, SHIP_COUNTERS } from '../src/ledger/counters.ts'
import { allocateRing, FULL, RingProducer } from '../src/ring/byte-ring.ts'
import { Doorbell } from '../src/ring/doorbell.ts'
import { PAIR_FIELDS_BYTES } from '../src/ring/layout.ts'
import { ShipStatus } from '../src/ship/status.ts'
import { kafkaSinkSpec, type ShipWorkerData } from '../src/ship/worker-data.ts'
import { Control } from '../src/thread/control.ts'
import type { FromWorker } from '../src/thread/messages.ts'
import { CONNECTIONS, type EncodedPairs, encodedPairs } from './encoded-pairs.ts'
import { cpuMs } from './measure.ts'

const RING_BYTES = 4 * 1024 * 1024
const WAIT_MS = 100
/** How often the counters are read. */
const POLL_MS = 5
interface Destination {
  brokers: string
  topic: string
  compression: Compression
}

function workerData(to: Destination, ring: SharedArrayBuffer, bell: SharedArrayBuffer): ShipWorkerData {
  const config = defaultConfig()
  const kafka = { ...config.kafka, ...to, brokers: [to.brokers], createTopic: true }
  return {
    rings: [ring],
    assemblerBells: [bell],
    ownBell: Doorbell.allocate(),
    control: Control.allocate(),
    counters: allocateCounters(SHIP_COUNTERS),
    status: ShipStatus.allocate(),
    whenFull: 'wait',
    limit: null,
    bufferBytes: config.ship.bufferBytes,
    maxAgeMs: config.ship.maxAge,
    shutdownTimeoutMs: config.shutdown.timeout,
    sink: kafkaSinkSpec({ ...config, kafka }, 'bench'),
    tap: null,
    left: [],
  }
}

function claim(ring: RingProducer, bell: Doorbell, length: number): number {
  for (;;) {
    const at = ring.tryClaim(length)
    if (at !== FULL) return at
    ring.flush()
    bell.wait(WAIT_MS, () => ring.used + length < ring.capacity / 2)
  }
}

/** Puts every pair into the ring, waiting where it is full. */
function feed(ring: RingProducer, bell: Doorbell, { bytes, ends }: EncodedPairs): void {
  const micros = Date.now() * 1000
  let start = 0
  ends.forEach((end, i) => {
    const length = end - start
    const at = claim(ring, bell, PAIR_FIELDS_BYTES + length)
    const word = at >> 2
    ring.words[word + 1] = i % CONNECTIONS
    ring.doubles[(at + 8) >> 3] = micros
    ring.words[word + 4] = length
    ring.words[word + 5] = PAIR_FIELDS_BYTES
    ring.words[word + 6] = 0
    ring.words[word + 7] = 0
    ring.bytes.set(bytes.subarray(start, end), at + PAIR_FIELDS_BYTES)
    ring.commit()
    start = end
  })
  ring.flush()
}

const isCompression = (name: string): name is Compression => Object.hasOwn(CODEC_NUMBERS, name)

const [path, brokers, topic, compression = ''] = process.argv.slice(2)
if (path === undefined || brokers === undefined || topic === undefined || !isCompression(compression)) {
  throw new Error('usage: ship-stage TRACE BROKERS TOPIC CODEC')
}
const pairs = encodedPairs(path)
const [shared, bell] = [allocateRing(RING_BYTES), Doorbell.allocate()]
const data = workerData({ brokers, topic, compression }, shared, bell)
const worker = new Worker(new URL('../src/ship/ship.worker.js', import.meta.url), { workerData: data })
const messages: FromWorker[] = []
worker.on('message', (message: FromWorker) => messages.push(message))
const ended = once(worker, 'exit')
await once(worker, 'message')
const ring = new RingProducer(shared, new Doorbell(data.ownBell))

/** What a pass costs, from its first pair until all are acknowledged. */
async function pass() {
  const before = { ms: performance.now(), cpuMs: shipCpu(), ...counted() }
  feed(ring, new Doorbell(bell), pairs)
  while (counted().shipped - before.shipped < pairs.ends.length && !messages.some(({ t }) => t === 'failed')) {
    await sleep(POLL_MS)
  }
  const { shipped, bytesShipped } = counted()
  return {
    wallMs: performance.now() - before.ms,
    shipCpuMs: shipCpu() - before.cpuMs,
    shipped: shipped - before.shipped,
    bytesShipped: bytesShipped - before.bytesShipped,
  }
}

const counted = () => ({
  shipped: data.counters[SHIP_COUNTERS.index.shipped],
  bytesShipped: data.counters[SHIP_COUNTERS.index.bytesShipped],
})
/** CPU time of all threads but the main one, which feeds. Its id is the process's. */
const shipCpu = (): number => cpuMs(process.pid) - cpuMs(process.pid, process.pid)

const first = await pass()
const second = await pass()
ring.close()
await ended
const failure = messages.find(({ t }) => t === 'failed')
if (failure !== undefined) throw new Error(`the shipper failed: ${JSON.stringify(failure)}`)
process.stdout.write(
  `${JSON.stringify({
    pairs: pairs.ends.length,
    pairBytes: Math.round(pairs.bytes.length / pairs.ends.length),
    ...second,
    startCpuMs: first.shipCpuMs - second.shipCpuMs,
    shippedTwice: first.shipped + second.shipped,
  })}\n`,
)
