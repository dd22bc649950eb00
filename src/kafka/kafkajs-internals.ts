/**
 * What this program uses of the internals of kafkajs (2.2.4, pinned), as types, and the access to them. The other
 * `kafkajs-` files build on it; nothing else may.
 *
 * `test/kafka/kafkajs-internals.test.ts` fails when an internal that these files rely on has changed.
 */
import type { Socket } from 'node:net'
import type { Kafka } from 'kafkajs'
import errorModule from 'kafkajs/src/protocol/error.js'

/** Short enough to notice added partitions within minutes. */
const METADATA_MAX_AGE_MS = 60_000

/** A request that waits to be sent, or for its response. */
export interface QueueEntry {
  apiKey: number
  apiName: string
  apiVersion: number
  correlationId: number
  resolve(response: { payload: Buffer | null }): void
  reject(error: Error): void
}

/** A request that was sent. */
interface SentRequest {
  /** Milliseconds. */
  readonly requestTimeout: number
  timeoutRequest(): void
}

/** The requests of one connection. */
export interface RequestQueue {
  readonly pending: readonly unknown[]
  readonly inflight: ReadonlyMap<number, SentRequest>
  /** Milliseconds. */
  readonly requestTimeout: number
  requestTimeoutIntervalId: NodeJS.Timeout | undefined
  isConnected(): boolean
  scheduleRequestTimeoutCheck(): void
  /** Ends the timers. */
  destroy(): void
  /** Milliseconds since the Unix epoch; −1: not throttled. */
  throttledUntil: number
  canSendSocketRequestImmediately(): boolean
  scheduleCheckPendingRequests(): void
  fulfillRequest(response: { correlationId: number }): void
  push(request: { entry: QueueEntry; expectResponse: boolean; requestTimeout: number; sendRequest(): void }): void
  waitForPendingRequests(): Promise<void>
  maybeThrottle(ms: number | null): void
}

/** A connection to one broker. */
export interface Connection {
  readonly socket: Socket
  readonly requestQueue: RequestQueue
  /** As returned by `process.hrtime`; null: not authenticated. */
  readonly authenticatedAt: [number, number] | null
  /** Milliseconds, a Long; 0: unlimited. */
  readonly sessionLifetime: { toString(): string }
  isConnected(): boolean
  isAuthenticated(): boolean
  authenticate(): Promise<void>
  nextCorrelationId(): number
}

/** A broker, with a connection for each kind of request. */
export interface Broker {
  readonly versions: Readonly<Record<number, { minVersion: number; maxVersion: number }>> | null
  readonly connectionPool: {
    readonly sasl: unknown
    getConnectionByRequest(request: { request: { apiKey: number } }): Promise<Connection>
  }
  fetch(request: object): Promise<FetchResponse>
  describeGroups(request: { groupIds: string[] }): Promise<{ groups: { state: string }[] }>
  offsetFetch(request: object): Promise<{ responses: { partitions: { partition: number; offset: string }[] }[] }>
  offsetCommit(request: object): Promise<unknown>
  describeConfigs(request: object): Promise<{ resources: { configEntries: ConfigEntry[] }[] }>
}

interface ConfigEntry {
  configName: string
  configValue: string | null
}

interface FetchResponse {
  responses: { partitions: { partition: number; errorCode: number; messages: FetchedMessage[] }[] }[]
}

/** A record as kafkajs decodes it. */
export interface FetchedMessage {
  offset: string
  timestamp: string
  value: Buffer | null
  headers: Record<string, Buffer | Buffer[]>
  isControlRecord: boolean
}

/** The brokers, with cached metadata. */
export interface Cluster {
  connect(): Promise<void>
  addTargetTopic(topic: string): Promise<void>
  refreshMetadata(): Promise<void>
  findBroker(node: { nodeId: number }): Promise<Broker>
  /** The broker that keeps a consumer group's offsets. */
  findGroupCoordinator(group: { groupId: string }): Promise<Broker>
  findTopicPartitionMetadata(topic: string): { partitionId: number; leader: number }[]
  fetchTopicsOffset(topics: object[]): Promise<{ partitions: { partition: number; offset: string }[] }[]>
}

/** What kafkajs's public interface does not offer. */
export interface Internals {
  createCluster(client: Kafka): Cluster
}

/** An error code of a response as the error that kafkajs throws for it: with a text, and the code as `code`. */
export function errorOfCode(code: number): Error {
  const { createErrorFromCode } = errorModule as {
    createErrorFromCode(code: number): Error
  }
  return createErrorFromCode(code)
}

/** The internals of kafkajs that are used here. */
export function internals(): Internals {
  return {
    createCluster(client) {
      const symbol = Object.getOwnPropertySymbols(client).find(
        ({ description }) => description === 'private:Kafka:createCluster',
      )
      if (symbol === undefined) throw new Error('this kafkajs has no createCluster: 2.2.4 is needed')
      const create = (client as unknown as Record<symbol, (options: object) => Cluster>)[symbol]
      return create({ metadataMaxAge: METADATA_MAX_AGE_MS, allowAutoTopicCreation: false })
    },
  }
}
