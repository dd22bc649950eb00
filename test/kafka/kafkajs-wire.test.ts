/**
 * Requests and responses on real connections with a scripted broker, because a real one cannot be made to fail on
 * request.
 */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { logLevel } from 'kafkajs'
import { failureCauseOf } from '../../src/kafka/errors.ts'
import { createClient } from '../../src/kafka/kafkajs-client.ts'
import { KafkaWire } from '../../src/kafka/kafkajs-wire.ts'
import type { PartitionResponse } from '../../src/kafka/produce-response.ts'
import { propertyRuns } from '../support/property-runs.ts'
import { ScriptedBroker } from './scripted-broker.ts'

const NODE = 1
const TOPIC = 'pairs'
const WAIT_MS = 30_000
const MAX_BYTES = 1024 * 1024

async function until(isSo: () => boolean): Promise<void> {
  for (const end = Date.now() + WAIT_MS; !isSo(); await sleep(1)) assert.ok(Date.now() < end, 'waited in vain')
}

/** @param timeoutMs also applies to the client, because kafkajs uses the longer timeout */
function connectTo(broker: ScriptedBroker, timeoutMs: number): KafkaWire {
  const brokers = [`127.0.0.1:${broker.port}`]
  const config = {
    clientId: 'test',
    brokers,
    requestTimeout: timeoutMs,
    retry: { retries: 0 },
    logLevel: logLevel.NOTHING,
  }
  const client = createClient(config, {
    openSocket: ({ host, port, onConnect }) => connect({ host, port }, onConnect),
    maxResponseBytes: MAX_BYTES,
    onBadResponse: () => {},
  })
  return new KafkaWire(client, 'test', TOPIC, timeoutMs)
}

/** Sends a batch that consists of its number to a partition. */
function produce(wire: KafkaWire, number: number, { acks = 1 as 0 | 1, partition = 0, onSend = () => {} } = {}) {
  const batch = Buffer.from(String(number))
  return wire.produce(NODE, { acks, partitions: [{ partition, batch: [batch], bytes: batch.length }], onSend })
}

async function begin(t: TestContext, timeoutMs = WAIT_MS): Promise<{ broker: ScriptedBroker; wire: KafkaWire }> {
  const broker = await ScriptedBroker.listen(TOPIC)
  const wire = connectTo(broker, timeoutMs)
  t.after(() => {
    wire.close()
    broker.close()
  })
  // On a busy machine even this may take longer than the timeout.
  while (
    !(await wire.leaders().then(
      () => true,
      () => false,
    ))
  );
  return { broker, wire }
}

type Outcome = { code: number } | 'lost'
const outcomeOf = (response: Promise<readonly PartitionResponse[]>): Promise<Outcome> =>
  response.then(
    ([{ errorCode }]) => ({ code: errorCode }),
    () => 'lost',
  )

/** Sends requests until one has a response: the first may be written to a connection that has ended, or take too long. */
async function reconnect(wire: KafkaWire, broker: ScriptedBroker): Promise<void> {
  for (let outcome: Outcome | null = 'lost'; outcome === 'lost'; ) {
    outcome = null
    const response = outcomeOf(produce(wire, 0)).then((settled) => {
      outcome = settled
    })
    await until(() => outcome !== null || broker.held.length > 0)
    while (broker.held.length > 0) broker.held[0].respond()
    await response
  }
}

type Step = { do: 'produce'; acks: 0 | 1 } | { do: 'respond'; code: number } | { do: 'drop' }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('produce' as const),
      acks: fc.constantFrom(0 as const, 1 as const, 1 as const),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('respond' as const), code: fc.constantFrom(0, 6, 10, 87) }) },
  { weight: 1, arbitrary: fc.constant({ do: 'drop' as const }) },
)

test('wire: model: each request has its own response, and those without one are lost with their connection', async (t) => {
  const { broker, wire } = await begin(t)
  let sent = 0
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
      const outcomes: Promise<Outcome>[] = []
      const expected: Outcome[] = []
      // Indexes of the requests without a response, by number.
      const waiting = new Map<string, number>()
      for (const one of steps) {
        if (one.do === 'produce') {
          sent += 1
          let isWritten = false
          outcomes.push(outcomeOf(produce(wire, sent, { acks: one.acks, onSend: () => (isWritten = true) })))
          expected.push(one.acks === 0 ? { code: 0 } : 'lost')
          if (one.acks === 1) waiting.set(String(sent), expected.length - 1)
          await until(() => isWritten && broker.held.length === waiting.size)
          if (one.acks === 0) assert.deepEqual(await outcomes[expected.length - 1], { code: 0 })
        } else if (one.do === 'respond' && broker.held.length > 0) {
          const [request] = broker.held
          const [, number] = request.batches[0]
          const index = waiting.get(number) ?? -1
          waiting.delete(number)
          request.respond([one.code])
          expected[index] = { code: one.code }
          assert.deepEqual(await outcomes[index], expected[index])
        } else if (one.do === 'drop') {
          broker.drop()
          for (const index of waiting.values()) assert.equal(await outcomes[index], 'lost')
          waiting.clear()
          await reconnect(wire, broker)
        }
      }
      broker.drop()
      assert.deepEqual(await Promise.all(outcomes), expected)
      await reconnect(wire, broker)
    }),
    { numRuns: propertyRuns(100) },
  )
})

test('wire: returns partitions numbered from 0 without gaps, each with its leader', async (t) => {
  const { broker, wire } = await begin(t)
  broker.leaders = [NODE, -1, NODE]
  assert.deepEqual(await wire.leaders(), [NODE, -1, NODE])
})

test('wire: one request contains batches of several partitions, each with its own response', async (t) => {
  const { broker, wire } = await begin(t)
  const [one, two] = [Buffer.from('one'), Buffer.from('two')]
  const response = wire.produce(NODE, {
    acks: -1,
    partitions: [
      { partition: 1, batch: [one.subarray(0, 1), one.subarray(1)], bytes: 3 },
      { partition: 0, batch: [two], bytes: 3 },
    ],
  })
  await until(() => broker.held.length === 1)
  const [request] = broker.held
  assert.deepEqual(
    [request.acks, request.batches],
    [
      -1,
      [
        [1, 'one'],
        [0, 'two'],
      ],
    ],
  )
  request.respond([6, 0])
  const codes = (await response).map(({ partition, errorCode }) => [partition, errorCode])
  assert.deepEqual(codes, [
    [1, 6],
    [0, 0],
  ])
})

test('wire: a broker that does not respond in time loses its connection, and the next request gets another', async (t) => {
  const { broker, wire } = await begin(t, 100)
  await assert.rejects(produce(wire, 1), { name: 'KafkaJSRequestTimeoutError' })
  const before = broker.connections
  broker.held.length = 0
  await reconnect(wire, broker)
  assert.ok(broker.connections > before)
})

test('wire: closing it rejects the requests in flight', async (t) => {
  const { broker, wire } = await begin(t)
  const response = assert.rejects(produce(wire, 1), (error: Error) => failureCauseOf(error) === 'clientClosed')
  await until(() => broker.held.length === 1)
  wire.close()
  await response
})
