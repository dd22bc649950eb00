/** Fails when an internal of kafkajs that the files src/kafka/kafkajs-* rely on has changed. */
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { connect } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import { createClient } from '../../src/kafka/kafkajs-client.ts'
import { internals } from '../../src/kafka/kafkajs-internals.ts'
import { encodeProduceRequest } from '../../src/kafka/produce-request.ts'

const require = createRequire(import.meta.url)

const ANSWER_BYTES = 1024 * 1024
const client = createClient(
  { brokers: ['127.0.0.1:1'], retry: { retries: 0 } },
  {
    openSocket: ({ host, port, onConnect }) => connect({ host, port }, onConnect),
    maxResponseBytes: ANSWER_BYTES,
    onBadResponse: () => {},
  },
)

test('kafkajs: is the version whose internals are known', () => {
  assert.equal((require('kafkajs/package.json') as { version: string }).version, '2.2.4')
})

test('kafkajs: a client creates a cluster with the methods that are called', () => {
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

test('kafkajs: connections and request queues have the methods that are called', () => {
  const parts: [string, string[]][] = [
    ['network/connectionPool.js', ['getConnectionByRequest']],
    ['network/connection.js', ['isConnected', 'isAuthenticated', 'authenticate', 'nextCorrelationId']],
    [
      'network/requestQueue/index.js',
      [
        'push',
        'waitForPendingRequests',
        'maybeThrottle',
        'scheduleCheckPendingRequests',
        'scheduleRequestTimeoutCheck',
        'canSendSocketRequestImmediately',
        'destroy',
      ],
    ],
    ['network/requestQueue/socketRequest.js', ['timeoutRequest']],
    ['broker/index.js', ['fetch', 'describeConfigs', 'isConnected']],
  ]
  for (const [file, names] of parts) {
    const { prototype } = require(`kafkajs/src/${file}`) as { prototype: Record<string, unknown> }
    for (const name of names) assert.equal(typeof prototype[name], 'function', `${file}: ${name}`)
  }
})

interface RequestQueue {
  checkPendingRequests(): void
  maybeThrottle(ms: number | null): void
  canSendSocketRequestImmediately(): boolean
  fulfillRequest(response: { correlationId: number }): void
  scheduleRequestTimeoutCheck(): void
  destroy(): void
  isConnected(): boolean
  readonly inflight: Map<number, { requestTimeout: number; sentAt: number; timeoutRequest(): void }>
  readonly throttleCheckTimeoutId: unknown
  readonly throttledUntil: number
}

function newRequestQueue(requestTimeout = 1): RequestQueue {
  const Queue = require('kafkajs/src/network/requestQueue/index.js') as new (options: object) => RequestQueue
  return new Queue({ clientId: 'c', broker: 'b', logger: { debug: () => {} }, requestTimeout })
}

test('kafkajs repairs: an idle request queue sets no timer', () => {
  const queue = newRequestQueue()
  queue.checkPendingRequests()
  assert.equal(queue.throttleCheckTimeoutId, null)
})

test('kafkajs repairs: the throttle time is bounded', () => {
  const queue = newRequestQueue()
  queue.maybeThrottle(2 ** 31 - 1)
  assert.ok(queue.throttledUntil <= Date.now() + 15_000)
  queue.maybeThrottle(null)
})

test('kafkajs repairs: a wall clock that is set back does not prolong a throttle', (t) => {
  const queue = newRequestQueue()
  queue.maybeThrottle(10_000)
  assert.equal(queue.canSendSocketRequestImmediately(), false)
  const hourAgo = Date.now() - 3_600_000
  const clock = t.mock.method(Date, 'now', () => hourAgo)
  const canSend = queue.canSendSocketRequestImmediately()
  clock.mock.restore()
  assert.equal(canSend, true)
})

test('kafkajs repairs: a request times out by the monotonic clock, however the wall clock is set', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const queue = newRequestQueue(15_000)
  queue.isConnected = () => true
  let timeouts = 0
  queue.inflight.set(1, { requestTimeout: 15_000, sentAt: Date.now(), timeoutRequest: () => (timeouts += 1) })
  queue.scheduleRequestTimeoutCheck()
  t.after(() => queue.destroy())
  let nowMs = 0
  t.mock.method(performance, 'now', () => nowMs)
  const secondsPass = (seconds: number): void => {
    for (let second = 0; second < seconds; second++) {
      nowMs += 1000
      t.mock.timers.tick(1000)
    }
  }
  const hourAhead = Date.now() + 3_600_000
  const clock = t.mock.method(Date, 'now', () => hourAhead)
  secondsPass(15)
  assert.equal(timeouts, 0)
  clock.mock.mockImplementation(() => hourAhead - 7_200_000)
  secondsPass(2)
  assert.equal(timeouts, 1)
})

test('kafkajs repairs: a response without a request is rejected', () => {
  assert.throws(() => newRequestQueue().fulfillRequest({ correlationId: 7 }), { name: 'BadResponseError' })
})

test('kafkajs repairs: a session counts as authenticated for 80 % of its lifetime, however short it is', () => {
  const { prototype } = require('kafkajs/src/network/connection.js') as { prototype: { isAuthenticated(): boolean } }
  const isAuthenticated = (ageMs: number | null, lifetimeMs: number): boolean => {
    const now = process.hrtime.bigint()
    const at = ageMs === null ? null : now - BigInt(ageMs) * 1_000_000n
    const authenticatedAt = at === null ? null : [Number(at / 1_000_000_000n), Number(at % 1_000_000_000n)]
    return prototype.isAuthenticated.call({
      authenticatedAt,
      sessionLifetime: { toString: () => String(lifetimeMs) },
    } as never)
  }
  assert.equal(isAuthenticated(null, 0), false)
  assert.equal(isAuthenticated(100_000, 0), true, 'a session without end')
  assert.equal(isAuthenticated(1_000, 3_000), true)
  assert.equal(isAuthenticated(2_500, 3_000), false)
  assert.equal(isAuthenticated(40_000, 60_000), true)
})

interface Decoder {
  [method: string]: () => unknown
}

type ArrayMethod = 'readArray' | 'readArrayAsync' | 'readVarIntArray' | 'readUVarIntArray'
type ArrayDecoder = Readonly<Record<ArrayMethod, (read: () => number) => unknown>>

test('kafkajs repairs: no decoder moves backwards or past the end of a response', () => {
  const KafkaDecoder = require('kafkajs/src/protocol/decoder.js') as new (bytes: Buffer) => Decoder
  const bad: [string, number[]][] = [
    ['readString', [0xff, 0xf0]],
    ['readString', [0, 9, 1]],
    ['readBytes', [0xff, 0xff, 0xff, 0]],
    ['readBytes', [0x7f, 0xff, 0xff, 0xff]],
    ['readVarIntBytes', [0x7f]],
    ['readVarIntString', [0x0a, 1]],
    ['readVarInt', []],
    ['readUVarInt', []],
  ]
  for (const [method, bytes] of bad) {
    assert.throws(() => new KafkaDecoder(Buffer.from(bytes))[method](), method)
  }
  assert.equal(new KafkaDecoder(Buffer.from([0, 2, 0x68, 0x69])).readString(), 'hi')
  assert.equal(new KafkaDecoder(Buffer.from([0xff, 0xff])).readString(), null)
})

test('kafkajs repairs: an array never has more elements than bytes follow', async () => {
  const KafkaDecoder = require('kafkajs/src/protocol/decoder.js') as new (bytes: Buffer) => ArrayDecoder
  const [huge, small] = [Buffer.from([1, 0xc9, 0xc3, 0x80, 0, 0]), Buffer.from([0, 0, 0, 2, 7, 8])]
  const element = (): number => 0
  assert.throws(() => new KafkaDecoder(huge).readArray(element), /shorter than it claims/)
  await assert.rejects(async () => new KafkaDecoder(huge).readArrayAsync(element), /shorter than it claims/)
  assert.deepEqual(new KafkaDecoder(small).readArray(element), [0, 0])
  for (const [method, two] of [
    ['readVarIntArray', 4],
    ['readUVarIntArray', 3],
  ] as const) {
    const claims = Buffer.from([0xfe, 0xff, 0xff, 0x1f, 0, 0])
    assert.throws(() => new KafkaDecoder(claims)[method](element), /shorter than it claims/)
    assert.deepEqual(new KafkaDecoder(Buffer.from([two, 7, 8]))[method](element), [0, 0])
  }
})

test('kafkajs repairs: random responses are decoded or rejected in bounded time', async () => {
  const files = ['metadata/v6', 'apiVersions/v2', 'fetch/v11', 'listOffsets/v3', 'describeConfigs/v1']
  const decoders = files.map(
    (file) =>
      require(`kafkajs/src/protocol/requests/${file}/response.js`) as { decode(payload: Buffer): Promise<unknown> },
  )
  await fc.assert(
    fc.asyncProperty(fc.nat(decoders.length - 1), fc.uint8Array({ maxLength: 200 }), async (index, bytes) => {
      await decoders[index].decode(Buffer.from(bytes)).catch(() => {})
    }),
    { numRuns: 3000 },
  )
})

test('kafkajs repairs: a partition without a leader does not affect the others', async () => {
  const { decode, parse } = require('kafkajs/src/protocol/requests/metadata/v6/response.js') as {
    decode(payload: Buffer): Promise<never>
    parse(data: never): Promise<{ topicMetadata: { partitionMetadata: { partitionId: number; leader: number }[] }[] }>
  }
  const LEADER_NOT_AVAILABLE = 5
  const partition = (code: number, id: number, leader: number) => [
    i16(code),
    i32(id),
    i32(leader),
    i32(0),
    i32(0),
    i32(0),
  ]
  const payload = [
    ...[i32(0), i32(0), i16(-1), i32(1), i32(1), i16(0), i16(1), Buffer.from('t'), Buffer.from([0]), i32(2)],
    ...partition(0, 0, 4),
    ...partition(LEADER_NOT_AVAILABLE, 1, 9),
  ]
  const { topicMetadata } = await parse(await decode(Buffer.concat(payload)))
  const leaders = topicMetadata[0].partitionMetadata.map(({ partitionId, leader }) => [partitionId, leader])
  assert.deepEqual(leaders, [
    [0, 4],
    [1, -1],
  ])
})

const i16 = (value: number): Buffer => {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}
const i32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

test('produce request: is encoded as kafkajs encodes its own', async () => {
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
  // Equal except for the sizes of the whole and of the batch.
  assert.deepEqual(ours.subarray(4, head - 4), theirs.subarray(4, head - 4))
  assert.equal(ours.readInt32BE(0), ours.length - 4)
  assert.equal(ours.readInt32BE(head - 4), batch.length)
})
