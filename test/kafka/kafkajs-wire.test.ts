/** Fails when kafkajs's inside, as src/kafka/kafkajs-wire.ts knows it, has moved. */
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { connect } from 'node:net'
import { test } from 'node:test'
import { createClient, encodeProduceRequest, internals } from '../../src/kafka/kafkajs-wire.ts'

const require = createRequire(import.meta.url)

const client = createClient({ brokers: ['127.0.0.1:1'], retry: { retries: 0 } }, ({ host, port, onConnect }) =>
  connect({ host, port }, onConnect),
)

test('kafkajs: is the version whose inside we know', () => {
  assert.equal((require('kafkajs/package.json') as { version: string }).version, '2.2.4')
})

test('kafkajs: a client still makes a cluster with what we call', () => {
  const cluster = internals().createCluster(client.kafka) as unknown as Record<string, unknown>
  const calls = [
    'connect',
    'addTargetTopic',
    'refreshMetadata',
    'findBroker',
    'findTopicPartitionMetadata',
    'fetchTopicsOffset',
  ]
  for (const name of calls) assert.equal(typeof cluster[name], 'function', name)
})

test('kafkajs: connections and request queues have what we call', () => {
  const parts: [string, string[]][] = [
    ['network/connectionPool.js', ['getConnectionByRequest']],
    ['network/connection.js', ['isConnected', 'isAuthenticated', 'authenticate', 'nextCorrelationId']],
    [
      'network/requestQueue/index.js',
      ['push', 'waitForPendingRequests', 'maybeThrottle', 'scheduleCheckPendingRequests'],
    ],
    ['broker/index.js', ['fetch', 'isConnected']],
  ]
  for (const [file, names] of parts) {
    const { prototype } = require(`kafkajs/src/${file}`) as { prototype: Record<string, unknown> }
    for (const name of names) assert.equal(typeof prototype[name], 'function', `${file}: ${name}`)
  }
})

test('kafkajs: reads an answer to a produce request, version 7, with each partition’s error', async () => {
  const parts: Buffer[] = []
  const int = (value: number): void => void parts.push(Buffer.from(new Uint32Array([value]).buffer).swap32())
  int(1)
  parts.push(Buffer.from('\0\x01t', 'latin1'))
  int(2)
  for (const [partition, code] of [
    [0, 0],
    [1, 10],
  ]) {
    int(partition)
    parts.push(Buffer.from([0, code]), Buffer.alloc(24))
  }
  int(250)
  const answer = await internals().decodeAnswer(Buffer.concat(parts))
  assert.deepEqual(
    answer.topics[0].partitions.map(({ partition, errorCode }) => [partition, errorCode]),
    [
      [0, 0],
      [1, 10],
    ],
  )
  assert.equal(answer.clientSideThrottleTime, 250)
})

test('kafkajs: an idle request queue sets no timer once mended', () => {
  const RequestQueue = require('kafkajs/src/network/requestQueue/index.js') as new (
    options: object,
  ) => {
    checkPendingRequests(): void
    throttleCheckTimeoutId: unknown
  }
  const queue = new RequestQueue({ clientId: 'c', broker: 'b', logger: { debug: () => {} }, requestTimeout: 1 })
  queue.checkPendingRequests()
  assert.equal(queue.throttleCheckTimeoutId, null)
})

test('produce request: is laid as kafkajs lays its own', async () => {
  const requestV7 = require('kafkajs/src/protocol/requests/produce/v7/request.js') as (options: object) => {
    encode(): Promise<{ buffer: Buffer }>
  }
  const createRequest = require('kafkajs/src/protocol/request.js') as (options: object) => Promise<{ buffer: Buffer }>
  const batch = Buffer.from('a record batch, as far as the request is concerned')
  const ours = Buffer.concat(
    encodeProduceRequest(7, Buffer.from('me'), 'pairs', 1234, {
      acks: -1,
      partitions: [{ partition: 3, batch: [batch], bytes: batch.length }],
    }),
  )
  const topicData = [
    { topic: 'pairs', partitions: [{ partition: 3, messages: [{ value: Buffer.from('v'), timestamp: 0 }] }] },
  ]
  const request = requestV7({
    acks: -1,
    timeout: 1234,
    transactionalId: null,
    producerId: -1,
    producerEpoch: 0,
    compression: 0,
    topicData,
  })
  const { buffer: theirs } = await createRequest({ correlationId: 7, clientId: 'me', request })
  const head = ours.length - batch.length
  // The same up to the sizes, which are of the whole and of the batch.
  assert.deepEqual(ours.subarray(4, head - 4), theirs.subarray(4, head - 4))
  assert.equal(ours.readInt32BE(0), ours.length - 4)
  assert.equal(ours.readInt32BE(head - 4), batch.length)
})
