/**
 * The sink's part of a delivery, against simulated brokers that store, reject or ignore requests at random.
 * test/e2e/kafka-outage.test.ts uses real brokers, which cannot be made to do so on request.
 */
import assert from 'node:assert/strict'
import { before, mock, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { defaultConfig } from '../../../src/config/load.ts'
import { KafkaWire } from '../../../src/kafka/kafkajs-wire.ts'
import type { ProduceRequest } from '../../../src/kafka/produce-request.ts'
import type { PartitionResponse } from '../../../src/kafka/produce-response.ts'
import { allocateCounters, SHIP_COUNTERS } from '../../../src/ledger/counters.ts'
import { ShipLedger } from '../../../src/ledger/ship-ledger.ts'
import { FoldedLog } from '../../../src/log/folded-log.ts'
import { packPair } from '../../../src/pair/unpack.ts'
import { KafkaSink } from '../../../src/ship/kafka/kafka-sink.ts'
import { openStore } from '../../../src/ship/left-pairs.ts'
import { RingPairs } from '../../../src/ship/ring-pairs.ts'
import { kafkaSinkSpec } from '../../../src/ship/worker-data.ts'
import { propertyRuns } from '../../support/property-runs.ts'
import { PairRing } from '../pair-ring.ts'
import { makePair } from '../support.ts'

const C = SHIP_COUNTERS.index
const LEADERS = [1, 2, 1]
const CONNECTIONS = 5
/** Some pairs. */
const BATCH_BYTES = 5000

/** Error codes of Kafka: of a broker that does not lead a partition, and for a record that it will never accept. */
const NOT_LEADER = 6
const NOT_PERMITTED = 29
const INVALID_RECORD = 87

type How = 'accept' | 'not leader' | 'not permitted' | 'lose request' | 'lose response'

/** A request that has no response yet. */
interface Pending {
  leader: number
  request: ProduceRequest
  resolve: (responses: PartitionResponse[]) => void
  reject: (error: Error) => void
}

/** The requests and stored pairs of a topic's brokers. */
class Brokers {
  leaders: number[] = LEADERS
  /** The number of each pair, by partition, in the order in which it was stored. */
  readonly stored = LEADERS.map((): number[] => [])
  /** Pairs that no broker accepts. */
  readonly refused: ReadonlySet<number>
  pending: Pending[] = []

  constructor(refused: ReadonlySet<number>) {
    this.refused = refused
  }

  /** Receives a request. */
  produce(leader: number, request: ProduceRequest): Promise<PartitionResponse[]> {
    request.onSend?.()
    const inFlight = new Set(this.pending.flatMap((one) => one.request.partitions.map(({ partition }) => partition)))
    for (const { partition } of request.partitions) assert.ok(!inFlight.has(partition), 'one batch of a partition')
    return new Promise((resolve, reject) => this.pending.push({ leader, request, resolve, reject }))
  }

  answer(index: number, how: How): void {
    const [one] = this.pending.splice(index, 1)
    if (one === undefined) return
    const { request, resolve, reject } = one
    const code = how === 'not leader' ? NOT_LEADER : how === 'not permitted' ? NOT_PERMITTED : 0
    const stores = how === 'accept' || how === 'lose response'
    const responses = request.partitions.map(({ partition, batch }) => {
      const errorCode = stores ? this.#store(partition, batch) : code
      return { partition, errorCode }
    })
    if (how === 'lose request' || how === 'lose response') reject(connectionLost())
    else resolve(responses)
  }

  /** Ends every connection. */
  lose(): void {
    for (const { reject } of this.pending.splice(0)) reject(connectionLost())
  }

  #store(partition: number, chunks: readonly Uint8Array[]): number {
    const text = Buffer.concat(chunks).toString('latin1')
    const numbers = [...text.matchAll(/ce_id.([0-9a-f]{32})/gs)].map(([, id]) => Number.parseInt(id, 16))
    if (numbers.some((number) => this.refused.has(number))) return INVALID_RECORD
    this.stored[partition].push(...numbers)
    return 0
  }
}

/** The brokers of the running test, to which connections are made. */
let brokers = new Brokers(new Set())

before(() => {
  const wire = KafkaWire.prototype
  mock.method(wire, 'leaders', () => Promise.resolve(brokers.leaders))
  mock.method(wire, 'maxMessageBytes', () => Promise.resolve(null))
  mock.method(wire, 'close', () => brokers.lose())
  mock.method(wire, 'produce', (leader: number, request: ProduceRequest) => brokers.produce(leader, request))
})

const connectionLost = (): Error => Object.assign(new Error('Connection error'), { name: 'KafkaJSConnectionError' })

interface RigOptions {
  refused?: ReadonlySet<number>
  limit?: number
}

class Rig {
  readonly brokers: Brokers
  readonly sink: KafkaSink
  readonly counters = allocateCounters(SHIP_COUNTERS)
  readonly #store = openStore([], null)
  readonly #ring = new PairRing()
  readonly #ledger = new ShipLedger(this.counters)
  readonly #ringPairs = new RingPairs(this.#ring.consumer, this.#ledger.readCell)
  nowMs = 1000
  put = 0
  /** Pairs that the sink took from the ring; the others went through the queue. */
  taken = 0
  /** Pairs that the sink or the queue dropped at the request of this rig, which acts as the shipper. */
  dropped = 0

  constructor({ refused = new Set(), limit = Infinity }: RigOptions = {}) {
    this.brokers = new Brokers(refused)
    brokers = this.brokers
    const config = defaultConfig()
    config.kafka = { ...config.kafka, brokers: ['127.0.0.1:1'], topic: 'pairs', compression: 'none' }
    config.ship = { ...config.ship, batchBytes: BATCH_BYTES, linger: 50 }
    this.sink = new KafkaSink({
      spec: kafkaSinkSpec(config, 'node-1'),
      context: { ledger: this.#ledger, limit, wake: () => {} },
      log: new FoldedLog(() => {}, { periodMs: 0 }),
      clock: () => this.nowMs,
      batches: this.#store.batches,
    })
  }

  get queued(): number {
    return this.#store.queue.pairs
  }

  /** Adds a pair. Connections alternate, so each has the pairs `n`, `n + CONNECTIONS` …  */
  arrive(): void {
    assert.ok(this.#ring.put(this.put % CONNECTIONS, packPair(makePair(this.put))))
    const { queue } = this.#store
    if (queue.pairs === 0) {
      this.#ringPairs.begin(Infinity, this.nowMs)
      this.sink.take(this.#ringPairs, this.nowMs)
      if (this.#ringPairs.end() > 0) this.taken += 1
    }
    while (queue.read(this.#ring.consumer, 1, this.nowMs) > 0);
    this.put += 1
  }

  async pump(): Promise<void> {
    this.sink.pump(this.#store.queue, this.nowMs)
    await turn()
  }

  /** Lets time pass while brokers accept everything acceptable, until nothing waits. */
  async settle(): Promise<void> {
    this.brokers.leaders = LEADERS
    for (let turns = 0; this.queued + this.sink.pairs > 0; turns += 1) {
      assert.ok(turns < 400, `${this.queued} and ${this.sink.pairs} pairs wait for ever`)
      this.nowMs += 1000
      this.sink.flush(this.nowMs)
      await this.pump()
      while (this.brokers.pending.length > 0) this.brokers.answer(0, 'accept')
      await turn()
    }
  }

  assertLaw(): void {
    const { counters } = this
    const counted = counters[C.shipped] + counters[C.droppedRejected] + this.dropped
    assert.equal(counted + this.sink.pairs + this.queued, this.put)
    assert.equal(counters[C.pairsRead], this.taken)
  }
}

/** Bytes of a batch. */
const lengthOf = (chunks: readonly Uint8Array[]): number => chunks.reduce((sum, { length }) => sum + length, 0)

/** The numbers without those that were stored repeatedly. */
const firsts = (numbers: readonly number[]): number[] => [...new Set(numbers)]

type Step =
  | { do: 'arrive'; pairs: number }
  | { do: 'answer'; index: number; how: How }
  | { do: 'pass'; ms: number }
  | { do: 'lead'; partition: number; leader: number }
  | { do: 'drop over'; bytes: number }
  | { do: 'pump' }

const how = fc.constantFrom<How>(
  'accept',
  'accept',
  'accept',
  'not leader',
  'not permitted',
  'lose request',
  'lose response',
)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('arrive' as const), pairs: fc.integer({ min: 1, max: 12 }) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('answer' as const), index: fc.nat(1), how }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(20, 100, 2000, 61_000) }) },
  { weight: 3, arbitrary: fc.constant({ do: 'pump' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('lead' as const), partition: fc.nat(2), leader: fc.constantFrom(-1, 1, 2) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('drop over' as const), bytes: fc.nat(20_000) }) },
)

test('kafka-sink: a request takes along the other batches for its broker, and none for another one', async () => {
  const rig = new Rig()
  await rig.pump()
  await rig.pump()
  for (let waited = 0; rig.brokers.pending.length === 0; waited += 1) {
    assert.ok(waited < 20, 'nothing was sent')
    // A batch is full in the third round, when the others have waited for half of the linger time.
    rig.nowMs += 13
    for (let pairs = 0; pairs < CONNECTIONS; pairs += 1) rig.arrive()
    await rig.pump()
  }
  const [{ leader, request }] = rig.brokers.pending
  const ids = request.partitions.map(({ partition }) => partition)
  assert.equal(rig.brokers.pending.length, 1)
  assert.deepEqual(
    ids.toSorted(),
    LEADERS.flatMap((of, id) => (of === leader ? [id] : [])),
  )
  await rig.settle()
})

test('kafka sink: pairs that have waited for long are sent in batches as full as those of new pairs', async () => {
  for (const waitedMs of [0, 60_000]) {
    const rig = new Rig()
    for (let pair = 0; pair < 60; pair++) rig.arrive()
    rig.nowMs += waitedMs
    const sent: number[] = []
    for (let turns = 0; rig.queued + rig.sink.pairs > 0; turns += 1) {
      assert.ok(turns < 400, 'pairs wait for ever')
      await rig.pump()
      for (const { request } of rig.brokers.pending)
        sent.push(...request.partitions.map(({ batch }) => lengthOf(batch)))
      while (rig.brokers.pending.length > 0) rig.brokers.answer(0, 'accept')
      rig.nowMs += 100
    }
    const bytes = sent.reduce((sum, length) => sum + length)
    // Each partition may have one batch that is not full.
    assert.ok(
      sent.length <= LEADERS.length + bytes / (BATCH_BYTES / 2),
      `after ${waitedMs} ms: ${sent.join(', ')} bytes`,
    )
    assert.equal(rig.brokers.stored.flat().length, 60)
  }
})

test('kafka sink: model: every pair is shipped, rejected or dropped once, and each connection keeps its order', async () => {
  const refused = fc.uniqueArray(fc.nat(60), { maxLength: 3 })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), refused, async (steps, bad) => {
      const rig = new Rig({ refused: new Set(bad) })
      const { brokers, sink } = rig
      for (const one of steps) {
        if (one.do === 'arrive') for (let left = one.pairs; left > 0; left -= 1) rig.arrive()
        else if (one.do === 'answer') brokers.answer(one.index, one.how)
        else if (one.do === 'pass') rig.nowMs += one.ms
        else if (one.do === 'lead') brokers.leaders = brokers.leaders.with(one.partition, one.leader)
        else if (one.do === 'drop over') rig.dropped += sink.dropOver(one.bytes)
        await rig.pump()
        rig.assertLaw()
      }
      await rig.settle()
      rig.assertLaw()
      await sink.close()
      const stored = brokers.stored.map(firsts)
      assert.ok(stored.flat().length >= rig.counters[C.shipped])
      assert.ok(rig.counters[C.droppedRejected] <= bad.length)
      if (rig.dropped === 0) {
        assert.equal(stored.flat().length + rig.counters[C.droppedRejected], rig.put)
        assert.equal(rig.counters[C.droppedRejected], bad.filter((number) => number < rig.put).length)
      }
      for (let connection = 0; connection < CONNECTIONS; connection += 1) {
        const inOrder = stored.map((numbers) => numbers.filter((number) => number % CONNECTIONS === connection))
        assert.ok(inOrder.filter((numbers) => numbers.length > 0).length <= 1, 'a connection has one partition')
        const numbers = inOrder.flat()
        assert.deepEqual(
          numbers,
          [...numbers].sort((a, b) => a - b),
        )
      }
    }),
    { numRuns: propertyRuns(200) },
  )
})

test('kafka sink: is down while no leader responds, and up once one does', async () => {
  const rig = new Rig()
  const { brokers, sink } = rig
  assert.equal(sink.reachable, null)
  for (let left = 60; left > 0; left -= 1) rig.arrive()
  await rig.pump()
  rig.nowMs += 100
  await rig.pump()
  assert.deepEqual([brokers.pending.map(({ leader }) => leader).sort(), sink.reachable], [[1, 2], true])
  brokers.answer(0, 'lose request')
  await turn()
  assert.equal(sink.down, false)
  brokers.answer(0, 'lose request')
  await turn()
  assert.deepEqual([sink.down, sink.reachable], [true, false])
  await rig.settle()
  assert.deepEqual([sink.down, rig.counters[C.shipped]], [false, 60])
})

test('kafka sink: encodes no more pairs than the run may ship', async () => {
  const rig = new Rig({ limit: 7 })
  for (let left = 20; left > 0; left -= 1) rig.arrive()
  await rig.pump()
  await rig.pump()
  assert.deepEqual([rig.sink.pairs, rig.queued], [7, 13])
})

test('kafka sink: a response to pairs that were discarded counts nothing', async () => {
  const rig = new Rig()
  for (let left = 20; left > 0; left -= 1) rig.arrive()
  await rig.pump()
  rig.nowMs += 100
  await rig.pump()
  assert.equal(rig.sink.discard() + rig.queued, 20)
  rig.brokers.answer(0, 'accept')
  await turn()
  assert.deepEqual([rig.counters[C.shipped], rig.sink.pairs], [0, 0])
})
