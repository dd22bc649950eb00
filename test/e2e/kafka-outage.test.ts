import assert from 'node:assert/strict'
import { after, before, beforeEach, suite, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { KafkaBroker, needsKafka } from '../../rig/kafka.ts'
import { reservePorts } from '../../rig/ports.ts'
import { makePair, type ShipperRun, until } from '../ship/support.ts'
import { KafkaGate } from './kafka-gate.ts'
import {
  assertOrderPerKey,
  configFor,
  keepPutting,
  pairNumber,
  RECOVERY_MS,
  type Record,
  readTopic,
  shipTo,
} from './kafka-support.ts'

/** The broker's own three ports, the gate's, and the one behind it. */
const PORT = await reservePorts(5)
const CONNECTIONS = 8

/** A longer pause for long outages, for which fewer pairs suffice. */
const SLOWLY_MS = 15

/** Writes five pairs after each pause until stopped. */
const flow = (run: ShipperRun, pauseMs = 2): (() => Promise<number>) =>
  keepPutting(run, { burst: 5, pauseMs, connections: CONNECTIONS, bodyBytes: 300 })

/** Whether the topic has pairs of every connection with this number or a higher one. */
const hasAllSince = (number: number, records: readonly Record[]): boolean =>
  new Set(records.filter((record) => pairNumber(record) >= number).map(({ key }) => key)).size === CONNECTIONS

/** What is reported first depends on the moment: a broker that is stopping has no leader. */
const isAway = (run: ShipperRun): boolean =>
  run.logs.some((line) => /^(Kafka is unreachable|no partition of the topic)/.test(line))
const isBack = (run: ShipperRun): boolean => run.logs.includes('Kafka accepts pairs again')

suite('kafka: outages of a real broker', { skip: needsKafka() }, () => {
  const gate = new KafkaGate(PORT + 3)
  /** For runs whose broker is made unreachable by the gate, which is faster than stopping and starting it. */
  const gated = { brokers: [gate.address] }
  let broker: KafkaBroker
  before(async () => {
    broker = new KafkaBroker({ port: PORT, properties: gate.properties(PORT) })
    await broker.start()
  })
  beforeEach(() => gate.open())
  after(async () => {
    await gate.close()
    await broker?.remove()
  })

  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    test(`kafka: a broker restart by ${signal} loses no pair and keeps order`, async () => {
      const topic = `restart-${signal}`
      const run = shipTo(configFor(broker, topic, { kafka: { acks: 'all' } }), { whenFull: 'drop' })
      const stop = flow(run, SLOWLY_MS)
      await until('pairs are shipped', () => run.counter('shipped') > 200)
      await broker.stop(signal)
      await until('it is reported', () => isAway(run))
      const shippedBefore = run.counter('shipped')
      await sleep(500)
      await broker.start()
      await until('shipping continues', () => run.counter('shipped') > shippedBefore + 200, RECOVERY_MS)
      const count = await stop()
      await until('the rest is shipped', () => run.counter('shipped') === count, RECOVERY_MS)
      await run.finish()
      assert.ok(isBack(run))
      assertOrderPerKey(readTopic(broker, topic), count, true)
    })
  }

  test('kafka: while it is down from the start, pairs wait; those over bufferBytes are dropped, oldest first, and counted', async () => {
    await gate.close()
    const bufferBytes = 256 * 1024
    const run = shipTo(configFor(broker, 'purged', { kafka: gated, ship: { bufferBytes } }), { whenFull: 'drop' })
    await run.ready
    for (let number = 0; number < 1000; number += 1) await run.put(number, { bodyBytes: 1000 })
    run.flush()
    await until('the oldest are dropped', () => run.counter('droppedBufferBytes') > 0 && run.counter('queued') > 0)
    await until('everything is read', () => run.counter('queued') + run.dropped === 1000)
    const kept = run.counter('queued')
    assert.ok(kept * 1000 < bufferBytes && kept * 2000 > bufferBytes, `${kept} kept`)
    await gate.open()
    await until('the rest is shipped', () => run.counter('shipped') === kept, RECOVERY_MS)
    await run.finish()
    assert.equal(run.counter('droppedBufferBytes'), 1000 - kept)
    const numbers = readTopic(broker, 'purged').map(pairNumber)
    assert.deepEqual(
      numbers,
      Array.from({ length: kept }, (_, index) => 1000 - kept + index),
    )
  })

  test('kafka: pairs that wait for an unreachable broker survive a restart of the shipper', async () => {
    const topic = 'outlived'
    const run = shipTo(configFor(broker, topic, { kafka: gated }), { whenFull: 'drop' })
    const stop = flow(run)
    await until('pairs are shipped', () => run.counter('shipped') > 200)
    await gate.close()
    await until('the outage is noticed', () => isAway(run))
    for (let kill = 0; kill < 3; kill += 1) {
      const before = run.counter('queued')
      await until('more pairs wait', () => run.counter('queued') > before + 1000)
      await run.replace()
    }
    const count = await stop()
    await gate.open()
    await until('all are shipped', () => run.counter('shipped') === count, RECOVERY_MS)
    await run.finish()
    assert.equal(run.dropped, 0)
    assertOrderPerKey(readTopic(broker, topic), count, true)
  })

  test('kafka: a shipper that crashes while it ships repeats at most the batches in flight, and loses at most one pair', async () => {
    const topic = 'ended-in-flight'
    const run = shipTo(configFor(broker, topic), { whenFull: 'drop' })
    const stop = flow(run)
    for (let kill = 0; kill < 5; kill += 1) {
      const before = run.counter('shipped')
      await until('pairs are shipped', () => run.counter('shipped') > before + 300)
      await run.replace()
    }
    const count = await stop()
    await run.finish()
    assert.equal(run.counter('shipped') + run.counter('droppedCrash'), count)
    assert.ok(run.counter('droppedCrash') <= 5, `${run.counter('droppedCrash')} lost`)
    assertOrderPerKey(readTopic(broker, topic), run.counter('shipped'), true)
  })

  test('kafka: while it is down during the run, pairs over bufferBytes are dropped, oldest first; the others arrive in order', async () => {
    const run = shipTo(configFor(broker, 'overflow', { kafka: gated, ship: { bufferBytes: 256 * 1024 } }), {
      whenFull: 'drop',
    })
    const stop = flow(run)
    await until('pairs are shipped', () => run.counter('shipped') > 200)
    await gate.close()
    // Connecting may have taken so long that some were dropped.
    const before = run.counter('droppedBufferBytes')
    await until('pairs are dropped', () => run.counter('droppedBufferBytes') > before + 500)
    await gate.open()
    await until('Kafka is back', () => isBack(run), RECOVERY_MS)
    const count = await stop()
    await until('the rest is shipped', () => run.counter('shipped') + run.dropped === count, RECOVERY_MS)
    await run.finish()
    assert.equal(run.counter('shipped') + run.counter('droppedBufferBytes'), count)
    assertOrderPerKey(readTopic(broker, 'overflow'), run.counter('shipped'), true)
  })

  test('kafka: pairs that wait longer than maxAge are dropped, and younger ones arrive', async () => {
    await gate.close()
    const run = shipTo(configFor(broker, 'aged', { kafka: gated, ship: { maxAge: 1000 } }), { whenFull: 'drop' })
    for (let number = 0; number < 100; number += 1) await run.put(number)
    run.flush()
    await until('the old are dropped', () => run.counter('droppedMaxAge') === 100 && run.counter('queued') === 0)
    const feeding = setInterval(() => void run.put(1000).then(() => run.flush()), 50)
    after(() => clearInterval(feeding))
    await gate.open()
    await until('young ones arrive', () => run.counter('shipped') > 0)
    clearInterval(feeding)
    await run.finish()
    assert.ok(readTopic(broker, 'aged').every((record) => pairNumber(record) === 1000))
  })

  test('kafka: if it is down at the end of the run, pairs are counted as dropped after shutdown.timeout', async () => {
    await gate.close()
    const run = shipTo(configFor(broker, 'ended', { kafka: gated }), { shutdownTimeoutMs: 500 })
    for (let number = 0; number < 50; number += 1) await run.put(number)
    await run.finish()
    assert.equal(run.counter('droppedShutdown'), 50)
  })

  test('kafka: a backlog that is larger as JSON is encoded while it is sent, and nothing is dropped', async () => {
    await gate.close()
    const bufferBytes = 8 * 1024 * 1024
    const config = configFor(broker, 'grows', { kafka: gated, ship: { bufferBytes, format: 'json' } })
    const run = shipTo(config, { whenFull: 'drop' })
    const body = new Uint8Array(20_000).fill(1)
    for (let number = 0; number < 350; number += 1) {
      const pair = makePair(number)
      pair.response.body = body
      await run.putPair(pair)
    }
    run.flush()
    await until('pairs wait', () => run.counter('queued') === 350)
    await gate.open()
    await until('all are shipped', () => run.counter('shipped') === 350, RECOVERY_MS)
    await run.finish()
    assert.equal(run.dropped, 0)
  })

  test('kafka: file input waits for a slow broker instead of dropping', async () => {
    const config = configFor(broker, 'waiting', { ship: { bufferBytes: 128 * 1024 } })
    const run = shipTo(config, { whenFull: 'wait', ringBytes: 256 * 1024 })
    for (let number = 0; number < 5000; number += 1) {
      await run.put(number, { connection: number % CONNECTIONS, bodyBytes: 1000 })
    }
    await run.finish()
    assert.equal(run.counter('shipped'), 5000)
  })

  test('kafka: a frozen broker’s connection is abandoned, and nothing is lost', async () => {
    const run = shipTo(configFor(broker, 'frozen'), { whenFull: 'drop' })
    const stop = flow(run, SLOWLY_MS)
    await until('pairs are shipped', () => run.counter('shipped') > 200)
    broker.signal('SIGSTOP')
    await until('it is reported', () => isAway(run), 40_000)
    broker.signal('SIGCONT')
    await until('Kafka is back', () => isBack(run), RECOVERY_MS)
    const count = await stop()
    // The broker was fenced meanwhile, and leads partitions again only some seconds later.
    await until('the rest is shipped', () => run.counter('shipped') === count, RECOVERY_MS)
    await run.finish()
    assertOrderPerKey(readTopic(broker, 'frozen'), count, true)
  })

  test('kafka: with acks none, pairs count as shipped once they are written, and a broker’s crash loses only those in flight', async (t) => {
    const topic = 'unacknowledged'
    const run = shipTo(configFor(broker, topic, { kafka: { acks: 'none' } }), { whenFull: 'drop' })
    const stop = flow(run, SLOWLY_MS)
    const there = (): Record[] => readTopic(broker, topic)
    await until('pairs are shipped', () => run.counter('shipped') > 200)
    await until('the broker has read pairs of every connection', () => hasAllSince(0, there()))
    const early = new Set(there().map(pairNumber))
    await broker.stop('SIGKILL')
    await until('it is reported', () => isAway(run))
    await broker.start()
    await until('Kafka is back', () => isBack(run), RECOVERY_MS)
    const back = run.kept
    await until('the broker has read later pairs of every connection', () => hasAllSince(back, there()), RECOVERY_MS)
    const settled = run.kept
    await until('more pairs are put', () => run.kept > settled + 200)
    const count = await stop()
    await until('the rest is written', () => run.counter('shipped') === count, RECOVERY_MS)
    await run.finish()
    assert.equal(run.dropped, 0)
    assertOrderPerKey(there(), 0, true)
    const arrived = new Set(there().map(pairNumber))
    const lost = Array.from({ length: count }, (_, number) => number).filter((number) => !arrived.has(number))
    t.diagnostic(`${lost.length} of ${count} lost, from ${lost[0]} to ${lost.at(-1)}`)
    // A broker that ends loses what it has not read, and one that starts refuses pairs until it leads their partitions.
    assert.deepEqual(
      lost.filter((number) => early.has(number) || number >= settled),
      [],
    )
  })

  test('kafka: a deleted topic is created again, and used', async () => {
    const run = shipTo(configFor(broker, 'remade', { kafka: { partitionBy: 'round-robin' } }), { whenFull: 'drop' })
    await run.put(0)
    run.flush()
    await until('it is shipped', () => run.counter('shipped') === 1)
    await broker.deleteTopic('remade')
    await run.put(1)
    run.flush()
    await until('it is shipped again', () => run.counter('shipped') === 2)
    await run.finish()
    assert.deepEqual(readTopic(broker, 'remade').map(pairNumber), [1])
  })
})
