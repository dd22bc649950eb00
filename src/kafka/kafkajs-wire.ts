/**
 * A connected Kafka cluster and one topic of it, built on kafkajs's cluster, broker connections and request queue
 * (kafkajs-internals.ts).
 *
 * kafkajs finds brokers, speaks TLS and SASL, keeps metadata and matches responses to requests. Producing through
 * kafkajs costs ten times the CPU (docs/architecture.md), so produce requests are encoded here, and their responses decoded. The requests
 * are written to the socket of kafkajs's connection, with an entry in kafkajs's request queue as for its own requests.
 */
import type { Socket } from 'node:net'
import { afterRunning } from '../thread/running-time.ts'
import { BadResponseError } from './errors.ts'
import type { Client } from './kafkajs-client.ts'
import {
  type Broker,
  type Cluster,
  type Connection,
  type FetchedMessage,
  type Internals,
  internals,
  type QueueEntry,
} from './kafkajs-internals.ts'
import { encodeProduceRequest, PRODUCE, PRODUCE_VERSION, type ProduceRequest } from './produce-request.ts'
import { decodeProduceResponse, type PartitionResponse } from './produce-response.ts'

/** Limits of a fetch, as in kafkajs's consumers. */
const FETCH_BYTES = 8 * 1024 * 1024
const FETCH_PARTITION_BYTES = 1024 * 1024
const READ_COMMITTED = 1

/** States of a consumer group as Kafka names them. */
const GROUP_WITHOUT_MEMBERS: ReadonlySet<string> = new Set(['Empty', 'Dead'])
/** The generation of a commit from outside of a group. */
const NO_GENERATION = -1

/** Kafka's ConfigResource.Type for topics. */
const TOPIC_RESOURCE = 2
export const MAX_MESSAGE_BYTES = 'max.message.bytes'

/** An offset in a partition. */
export interface FetchPosition {
  partition: number
  offset: number
}

/** One fetched record. */
export interface TopicRecord extends FetchPosition {
  /** CreateTime, milliseconds since the Unix epoch. */
  timestampMs: number
  value: Uint8Array | null
  /** The first value of the `content-type` header; null where there is none. */
  contentType: string | null
}

/**
 * One connected cluster and one topic of it. It caches metadata: close it and create another one after a bad response,
 * or when no broker is reachable.
 */
export class KafkaWire {
  readonly #internals: Internals
  readonly #client: Client
  readonly #cluster: Cluster
  readonly #topic: string
  readonly #clientId: Buffer
  readonly #timeoutMs: number

  /** @param timeoutMs how long a broker may take to respond */
  constructor(client: Client, clientId: string, topic: string, timeoutMs: number) {
    this.#internals = internals()
    this.#client = client
    this.#cluster = this.#internals.createCluster(client.kafka)
    this.#topic = topic
    this.#clientId = Buffer.from(clientId)
    this.#timeoutMs = timeoutMs
  }

  /**
   * Requests the topic's partitions, after connecting to the cluster where necessary.
   *
   * @returns each partition's leader, by partition; −1 where there is none now
   * @throws kafkajs's errors; errors.ts has their meaning
   */
  async leaders(): Promise<number[]> {
    await this.#cluster.connect()
    await this.#cluster.addTargetTopic(this.#topic)
    await this.#cluster.refreshMetadata()
    return leadersByPartition(this.#cluster.findTopicPartitionMetadata(this.#topic))
  }

  /**
   * The topic's effective `max.message.bytes`: its own, or the brokers' default.
   *
   * @param nodeId any broker @returns null where the response lacks it
   * @throws kafkajs's errors, among them the one for a user that lacks DescribeConfigs on the topic
   */
  async maxMessageBytes(nodeId: number): Promise<number | null> {
    const broker = await this.#cluster.findBroker({ nodeId })
    const resource = { type: TOPIC_RESOURCE, name: this.#topic, configNames: [MAX_MESSAGE_BYTES] }
    const { resources } = await broker.describeConfigs({ resources: [resource] })
    const entries = resources.flatMap(({ configEntries }) => configEntries)
    const value = Number(entries.find(({ configName }) => configName === MAX_MESSAGE_BYTES)?.configValue)
    return Number.isSafeInteger(value) && value > 0 ? value : null
  }

  /**
   * Sends one request to a broker. The batches' bytes must stay as they are until the promise settles.
   *
   * @returns a response for each partition; with acks 0, success for all of them once the bytes are written
   * @throws when the broker was unreachable or did not respond: it may have accepted the batches nevertheless
   */
  async produce(nodeId: number, request: ProduceRequest): Promise<readonly PartitionResponse[]> {
    const broker = await this.#cluster.findBroker({ nodeId })
    requireProduceVersion(broker, nodeId)
    const connection = await broker.connectionPool.getConnectionByRequest({ request: { apiKey: PRODUCE } })
    if (broker.connectionPool.sasl !== undefined && !connection.isAuthenticated()) await reauthenticate(connection)
    const payload = await this.#exchange(connection, request)
    if (payload === null) return request.partitions.map(({ partition }) => ({ partition, errorCode: 0 }))
    const { partitions, throttleMs } = decodeProduceResponse(payload)
    connection.requestQueue.maybeThrottle(throttleMs)
    return partitions
  }

  /**
   * Finds an offset in each partition: its beginning, its end, or its first record at or after a time (its end when
   * there is none).
   *
   * @param at a time is in milliseconds since the Unix epoch @returns offsets by partition, of those that have a leader
   */
  async offsets(at: 'beginning' | 'end' | number, partitions: readonly number[]): Promise<Map<number, number>> {
    const where = typeof at === 'number' ? { fromTimestamp: at } : { fromBeginning: at === 'beginning' }
    const query = { topic: this.#topic, partitions: partitions.map((partition) => ({ partition })), ...where }
    const topics = await this.#cluster.fetchTopicsOffset([query])
    const found = topics.flatMap((topic) => topic.partitions)
    const offsets = new Map(found.map(({ partition, offset }) => [partition, Number(offset)]))
    const none = [...offsets].filter(([, offset]) => offset === -1).map(([partition]) => partition)
    if (none.length === 0) return offsets
    return new Map([...offsets, ...(await this.offsets('end', none))])
  }

  /**
   * Fetches records from positions in partitions that one broker leads.
   *
   * @param maxWaitMs how long the broker may wait for new records @returns records in the order of each partition
   */
  async fetch(nodeId: number, positions: readonly FetchPosition[], maxWaitMs: number): Promise<TopicRecord[]> {
    const broker = await this.#cluster.findBroker({ nodeId })
    const partitions = positions.map(({ partition, offset }) => ({
      partition,
      fetchOffset: String(offset),
      maxBytes: FETCH_PARTITION_BYTES,
    }))
    const response = await broker.fetch({
      replicaId: -1,
      isolationLevel: READ_COMMITTED,
      maxWaitTime: maxWaitMs,
      minBytes: 1,
      maxBytes: FETCH_BYTES,
      topics: [{ topic: this.#topic, partitions }],
    })
    return response.responses.flatMap((topic) =>
      topic.partitions.flatMap(({ partition, messages }) => messages.map((message) => topicRecord(partition, message))),
    )
  }

  /**
   * Finds what a consumer group has committed.
   *
   * @returns offsets by partition, of those where it has; null: the group has members, which commit themselves
   * @throws kafkajs's errors
   */
  async committedOffsets(groupId: string, partitions: readonly number[]): Promise<Map<number, number> | null> {
    const coordinator = await this.#cluster.findGroupCoordinator({ groupId })
    const { groups } = await coordinator.describeGroups({ groupIds: [groupId] })
    if (!groups.every(({ state }) => GROUP_WITHOUT_MEMBERS.has(state))) return null
    const topics = [{ topic: this.#topic, partitions: partitions.map((partition) => ({ partition })) }]
    const { responses } = await coordinator.offsetFetch({ groupId, topics })
    const found = responses.flatMap((topic) => topic.partitions)
    return new Map(
      found.map(({ partition, offset }) => [partition, Number(offset)] as const).filter(([, at]) => at >= 0),
    )
  }

  /**
   * Commits offsets of a consumer group that has no members, without joining it.
   *
   * @param positions the next record to read in each partition
   * @throws kafkajs's errors, among them UNKNOWN_MEMBER_ID when the group has members by now
   */
  async commitOffsets(groupId: string, positions: readonly FetchPosition[]): Promise<void> {
    const coordinator = await this.#cluster.findGroupCoordinator({ groupId })
    const partitions = positions.map(({ partition, offset }) => ({ partition, offset: String(offset) }))
    const topics = [{ topic: this.#topic, partitions }]
    await coordinator.offsetCommit({ groupId, groupGenerationId: NO_GENERATION, memberId: '', topics })
  }

  /** Ends the connections. Requests in flight are rejected. */
  close(): void {
    this.#client.close()
  }

  #exchange(connection: Connection, request: ProduceRequest): Promise<Buffer | null> {
    const correlationId = connection.nextCorrelationId()
    const chunks = encodeProduceRequest(correlationId, this.#clientId, this.#topic, this.#timeoutMs, request)
    const expectResponse = request.acks !== 0
    // kafkajs limits the time of requests with a response only. A broker that stops reading would block the others without limit.
    const timer = expectResponse ? undefined : afterRunning(this.#timeoutMs, () => connection.socket.destroy(late()))
    const exchange = new Promise<Buffer | null>((resolve, reject) => {
      if (!connection.isConnected()) throw new Error('the connection to the broker was closed')
      const fail = (error: Error): void => {
        reject(error)
        // kafkajs keeps a connection open on which the broker no longer responds; later requests need a new one.
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
          request.onSend?.()
          writeAll(connection.socket, chunks, (error) => {
            if (error != null) fail(error)
            else if (!expectResponse) resolve(null)
          })
        },
      })
    })
    return exchange.finally(() => clearInterval(timer))
  }
}

const late = (): Error => new Error('the broker accepts no more bytes')

/** Partitions are numbered from 0 without holes; any other numbers mean a bad response. */
function leadersByPartition(partitions: readonly { partitionId: number; leader: number }[]): number[] {
  const leaders = new Array<number>(partitions.length).fill(-1)
  const known = new Set<number>()
  for (const { partitionId, leader } of partitions) {
    if (partitionId < 0 || partitionId >= leaders.length)
      throw new BadResponseError(`the topic’s metadata has a partition ${partitionId}`)
    known.add(partitionId)
    leaders[partitionId] = leader
  }
  if (known.size < leaders.length) throw new BadResponseError('the topic’s metadata has a partition twice')
  return leaders
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

function requireProduceVersion({ versions }: Broker, nodeId: number): void {
  const range = versions?.[PRODUCE]
  if (range !== undefined && range.minVersion <= PRODUCE_VERSION && PRODUCE_VERSION <= range.maxVersion) return
  throw new BadResponseError(`broker ${nodeId} does not accept Produce v${PRODUCE_VERSION}, as Kafka 2.1 and later do`)
}

/** Between the handshake and the end of an authentication a broker accepts no other request (KIP-368). */
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
