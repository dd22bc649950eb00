/**
 * The one place that knows kafkajs from the inside (2.2.4, pinned): its cluster, broker connections and request queue.
 *
 * kafkajs finds brokers, speaks TLS and SASL, keeps metadata and matches answers to requests. Its own way of laying and
 * sending records costs ten times ours (architecture.md), so a produce request's bytes go straight to the socket of
 * kafkajs's connection, entered in kafkajs's request queue like one of its own.
 *
 * `test/kafka/kafkajs-wire.test.ts` fails when something this relies on has moved.
 */
import { createRequire } from 'node:module'
import type { Socket } from 'node:net'
import { type ISocketFactory, Kafka, type KafkaConfig } from 'kafkajs'

const require = createRequire(import.meta.url)

/** kafkajs's ApiKeys.Produce, and the version whose layout we write and whose answers we have kafkajs read. */
const PRODUCE = 0
const PRODUCE_VERSION = 7
/** Asked for often enough to notice added partitions within minutes. */
const METADATA_MAX_AGE_MS = 60_000

/** As kafkajs's consumers ask for. */
const FETCH_BYTES = 8 * 1024 * 1024
const FETCH_PARTITION_BYTES = 1024 * 1024
const READ_COMMITTED = 1

interface QueueEntry {
  apiKey: number
  apiName: string
  apiVersion: number
  correlationId: number
  resolve(answer: { payload: Buffer | null }): void
  reject(error: Error): void
}

interface RequestQueue {
  readonly pending: readonly unknown[]
  readonly inflight: ReadonlyMap<number, unknown>
  push(request: { entry: QueueEntry; expectResponse: boolean; requestTimeout: number; sendRequest(): void }): void
  waitForPendingRequests(): Promise<void>
  maybeThrottle(ms: number | null): void
}

interface Connection {
  readonly socket: Socket
  readonly requestQueue: RequestQueue
  isConnected(): boolean
  isAuthenticated(): boolean
  authenticate(): Promise<void>
  nextCorrelationId(): number
}

interface Broker {
  readonly versions: Readonly<Record<number, { minVersion: number; maxVersion: number }>> | null
  readonly connectionPool: {
    readonly sasl: unknown
    getConnectionByRequest(request: { request: { apiKey: number } }): Promise<Connection>
  }
  fetch(request: object): Promise<FetchAnswer>
}

interface FetchAnswer {
  responses: { partitions: { partition: number; errorCode: number; messages: FetchedMessage[] }[] }[]
}

interface FetchedMessage {
  offset: string
  timestamp: string
  value: Buffer | null
  headers: Record<string, Buffer | Buffer[]>
  isControlRecord: boolean
}

interface Cluster {
  connect(): Promise<void>
  addTargetTopic(topic: string): Promise<void>
  refreshMetadata(): Promise<void>
  findBroker(node: { nodeId: number }): Promise<Broker>
  findTopicPartitionMetadata(topic: string): { partitionId: number; leader: number }[]
  fetchTopicsOffset(topics: object[]): Promise<{ partitions: { partition: number; offset: string }[] }[]>
}

interface ProduceAnswer {
  topics: { partitions: { partition: number; errorCode: number }[] }[]
  clientSideThrottleTime: number
}

interface Internals {
  createCluster(client: Kafka): Cluster
  decodeAnswer(payload: Buffer): Promise<ProduceAnswer>
}

/** What one partition said to its batch: 0 or an error code. */
export interface PartitionAnswer {
  partition: number
  errorCode: number
}

/** A place in a partition. */
export interface Position {
  partition: number
  offset: number
}

/** One record read back. */
export interface TopicRecord extends Position {
  /** CreateTime, milliseconds since the Unix epoch. */
  timestampMs: number
  value: Uint8Array | null
  /** The first value of the `content-type` header; null where there is none. */
  contentType: string | null
}

/** Record batches for partitions that one broker leads, at most one a partition. */
export interface ProduceRequest {
  acks: 0 | 1 | -1
  partitions: readonly { partition: number; batch: readonly Uint8Array[]; bytes: number }[]
}

/** A client and what it takes to be rid of it. */
export interface Client {
  readonly kafka: Kafka
  /** Ends every connection, also those still being made: kafkajs's own way waits for answers. Nothing works afterwards. */
  close(): void
}

/**
 * A client whose request queue behaves (see `mendRequestQueue`).
 *
 * @param config as kafkajs documents it @param openSocket opens its connections
 */
export function createClient(config: KafkaConfig, openSocket: ISocketFactory): Client {
  mendRequestQueue()
  const sockets = new Set<Socket>()
  let closed = false
  // With an error, because that is what makes kafkajs let go of the requests in flight and of its timers.
  const end = (socket: Socket): Socket => socket.destroy(new Error('this client was closed'))
  const socketFactory: ISocketFactory = (where) => {
    const socket = openSocket(where)
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    if (closed) setImmediate(end, socket)
    return socket
  }
  const close = (): void => {
    closed = true
    for (const socket of sockets) end(socket)
  }
  return { kafka: new Kafka({ ...config, socketFactory }), close }
}

/** One connected cluster and one topic of it. Throw it away after a failure to reach any broker, and make a new one. */
export class KafkaWire {
  readonly #internals: Internals
  readonly #client: Client
  readonly #cluster: Cluster
  readonly #topic: string
  readonly #clientId: Buffer
  readonly #timeoutMs: number

  /** @param timeoutMs how long a broker may take to answer */
  constructor(client: Client, clientId: string, topic: string, timeoutMs: number) {
    this.#internals = internals()
    this.#client = client
    this.#cluster = this.#internals.createCluster(client.kafka)
    this.#topic = topic
    this.#clientId = Buffer.from(clientId)
    this.#timeoutMs = timeoutMs
  }

  /**
   * Asks the cluster for the topic's partitions, connecting first where that is needed.
   *
   * @returns each partition's leader, by partition; −1 where there is none now
   * @throws kafkajs's errors (errors.ts tells what they mean)
   */
  async leaders(): Promise<number[]> {
    await this.#cluster.connect()
    await this.#cluster.addTargetTopic(this.#topic)
    await this.#cluster.refreshMetadata()
    const leaders: number[] = []
    for (const { partitionId, leader } of this.#cluster.findTopicPartitionMetadata(this.#topic)) {
      leaders[partitionId] = leader
    }
    return Array.from(leaders, (leader) => leader ?? -1)
  }

  /**
   * Sends one request to a broker. The batches' bytes must stay as they are until the promise settles.
   *
   * @returns an answer for each partition; for acks 0 once the bytes have left, all without error
   * @throws when the broker could not be reached or did not answer: whether it took the batches is unknown
   */
  async produce(nodeId: number, request: ProduceRequest): Promise<PartitionAnswer[]> {
    const broker = await this.#cluster.findBroker({ nodeId })
    requireProduceVersion(broker, nodeId)
    const connection = await broker.connectionPool.getConnectionByRequest({ request: { apiKey: PRODUCE } })
    if (broker.connectionPool.sasl !== undefined && !connection.isAuthenticated()) await reauthenticate(connection)
    const payload = await this.#exchange(connection, request)
    if (payload === null) return request.partitions.map(({ partition }) => ({ partition, errorCode: 0 }))
    const answer = await this.#internals.decodeAnswer(payload)
    connection.requestQueue.maybeThrottle(answer.clientSideThrottleTime)
    return answer.topics.flatMap(({ partitions }) => partitions)
  }

  /**
   * Where each partition begins, ends, or has its first record of a time or later (its end when there is none).
   *
   * @param at a time in milliseconds since the Unix epoch @returns offsets by partition, of those that have a leader
   */
  async offsets(at: 'beginning' | 'end' | number, partitions: readonly number[]): Promise<Map<number, number>> {
    const where = typeof at === 'number' ? { fromTimestamp: at } : { fromBeginning: at === 'beginning' }
    const query = { topic: this.#topic, partitions: partitions.map((partition) => ({ partition })), ...where }
    const answers = await this.#cluster.fetchTopicsOffset([query])
    const found = answers.flatMap((topic) => topic.partitions)
    const offsets = new Map(found.map(({ partition, offset }) => [partition, Number(offset)]))
    const none = [...offsets].filter(([, offset]) => offset === -1).map(([partition]) => partition)
    if (none.length === 0) return offsets
    return new Map([...offsets, ...(await this.offsets('end', none))])
  }

  /**
   * Reads on from some places, all led by one broker.
   *
   * @param maxWaitMs how long the broker may wait for records to come @returns records in the order of each partition
   */
  async fetch(nodeId: number, positions: readonly Position[], maxWaitMs: number): Promise<TopicRecord[]> {
    const broker = await this.#cluster.findBroker({ nodeId })
    const partitions = positions.map(({ partition, offset }) => ({
      partition,
      fetchOffset: String(offset),
      maxBytes: FETCH_PARTITION_BYTES,
    }))
    const answer = await broker.fetch({
      replicaId: -1,
      isolationLevel: READ_COMMITTED,
      maxWaitTime: maxWaitMs,
      minBytes: 1,
      maxBytes: FETCH_BYTES,
      topics: [{ topic: this.#topic, partitions }],
    })
    return answer.responses.flatMap((topic) =>
      topic.partitions.flatMap(({ partition, messages }) => messages.map((message) => topicRecord(partition, message))),
    )
  }

  /** Ends the connections. Requests in flight are rejected. */
  close(): void {
    this.#client.close()
  }

  #exchange(connection: Connection, request: ProduceRequest): Promise<Buffer | null> {
    const correlationId = connection.nextCorrelationId()
    const chunks = encodeProduceRequest(correlationId, this.#clientId, this.#topic, this.#timeoutMs, request)
    const expectResponse = request.acks !== 0
    return new Promise((resolve, reject) => {
      if (!connection.isConnected()) throw new Error('the connection to the broker was closed')
      const fail = (error: Error): void => {
        reject(error)
        // kafkajs leaves a connection open that has stopped answering; whatever comes next needs a new one.
        if (error.name === 'KafkaJSRequestTimeoutError') connection.socket.destroy(error)
      }
      const entry: QueueEntry = {
        apiKey: PRODUCE,
        apiName: 'Produce',
        apiVersion: PRODUCE_VERSION,
        correlationId,
        resolve: ({ payload }) => expectResponse && resolve(payload),
        reject: fail,
      }
      connection.requestQueue.push({
        entry,
        expectResponse,
        requestTimeout: this.#timeoutMs,
        sendRequest: () => {
          writeAll(connection.socket, chunks, (error) => {
            if (error != null) fail(error)
            else if (!expectResponse) resolve(null)
          })
        },
      })
    })
  }
}

function topicRecord(partition: number, message: FetchedMessage): TopicRecord {
  const header = message.headers['content-type']
  const first = Array.isArray(header) ? header[0] : header
  return {
    partition,
    offset: Number(message.offset),
    timestampMs: Number(message.timestamp),
    value: message.isControlRecord ? null : message.value,
    contentType: first == null ? null : first.toString(),
  }
}

/** Loads what we use of kafkajs's inside. @throws when it is not where it was */
export function internals(): Internals {
  const response = require('kafkajs/src/protocol/requests/produce/v7/response.js') as {
    decode(payload: Buffer): Promise<ProduceAnswer>
  }
  return {
    createCluster(client) {
      const symbol = Object.getOwnPropertySymbols(client).find(
        ({ description }) => description === 'private:Kafka:createCluster',
      )
      if (symbol === undefined) throw new Error('this kafkajs has no createCluster: 2.2.4 is needed')
      const create = (client as unknown as Record<symbol, (options: object) => Cluster>)[symbol]
      return create({ metadataMaxAge: METADATA_MAX_AGE_MS, allowAutoTopicCreation: false })
    },
    decodeAnswer: (payload) => response.decode(payload),
  }
}

function requireProduceVersion({ versions }: Broker, nodeId: number): void {
  const range = versions?.[PRODUCE]
  if (range !== undefined && range.minVersion <= PRODUCE_VERSION && PRODUCE_VERSION <= range.maxVersion) return
  throw new Error(`broker ${nodeId} does not speak Produce v${PRODUCE_VERSION}: Kafka 2.1 or later is needed`)
}

/** kafkajs takes the next bytes after it began to authenticate for the answer, so no other answer may be due (KIP-368). */
async function reauthenticate(connection: Connection): Promise<void> {
  await connection.requestQueue.waitForPendingRequests()
  await connection.authenticate()
}

function writeAll(socket: Socket, chunks: readonly Uint8Array[], done: (error?: Error | null) => void): void {
  socket.cork()
  for (const [index, chunk] of chunks.entries()) {
    if (index === chunks.length - 1) socket.write(chunk, done)
    else socket.write(chunk)
  }
  socket.uncork()
}

/**
 * A produce request, version 7, in chunks to be written in turn: size · header (api key, version, correlation id,
 * client id) · no transactional id · acks · timeout · one topic · for each partition its number, its batch's size and
 * its batch. https://kafka.apache.org/protocol#The_Messages_Produce
 */
export function encodeProduceRequest(
  correlationId: number,
  clientId: Buffer,
  topic: string,
  timeoutMs: number,
  { acks, partitions }: ProduceRequest,
): Uint8Array[] {
  const topicBytes = Buffer.byteLength(topic)
  const headBytes = 14 + clientId.length + 2 + 2 + 4 + 4 + 2 + topicBytes + 4
  const total = partitions.reduce((sum, { bytes }) => sum + 8 + bytes, headBytes)
  const head = Buffer.allocUnsafe(headBytes)
  let at = head.writeInt32BE(total - 4, 0)
  at = head.writeInt16BE(PRODUCE, at)
  at = head.writeInt16BE(PRODUCE_VERSION, at)
  at = head.writeInt32BE(correlationId, at)
  at = head.writeInt16BE(clientId.length, at)
  at += clientId.copy(head, at)
  at = head.writeInt16BE(-1, at)
  at = head.writeInt16BE(acks, at)
  at = head.writeInt32BE(timeoutMs, at)
  at = head.writeInt32BE(1, at)
  at = head.writeInt16BE(topicBytes, at)
  at += head.write(topic, at)
  head.writeInt32BE(partitions.length, at)
  const chunks: Uint8Array[] = [head]
  for (const { partition, batch, bytes } of partitions) {
    const frame = Buffer.allocUnsafe(8)
    frame.writeInt32BE(partition, 0)
    frame.writeInt32BE(bytes, 4)
    chunks.push(frame, ...batch)
  }
  return chunks
}

let mended = false

/**
 * kafkajs 2.2.4 sets a timer with a negative delay after every answer, which fires at once and sets the next: a
 * connection that has once answered wakes a thousand times a second, and Node.js 24 warns of each (kafkajs#1751).
 * The timer is needed only while requests wait for a throttle to pass.
 */
function mendRequestQueue(): void {
  if (mended) return
  mended = true
  const queue = require('kafkajs/src/network/requestQueue/index.js') as {
    prototype: RequestQueue & { scheduleCheckPendingRequests(): void }
  }
  const schedule = queue.prototype.scheduleCheckPendingRequests
  queue.prototype.scheduleCheckPendingRequests = function (this: RequestQueue): void {
    if (this.pending.length > 0) schedule.call(this)
  }
}
