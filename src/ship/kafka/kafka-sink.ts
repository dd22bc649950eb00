/**
 * Sends pairs to a Kafka topic. While a broker is reachable, pairs are encoded from the rings or the queue into one
 * record batch per partition. Each partition has at most one batch in flight; the ready batches of one broker share a
 * request.
 *
 * Delivery is at least once: a batch without a response is sent again. Every failure is retried until the buffer's
 * bounds drop the pairs, except for records that a broker will never accept: those are isolated by halving their batch,
 * and only they are dropped. Thread: the shipper's, on its event loop.
 */

import { type Compressor, createCompressor } from '../../kafka/codecs.ts'
import { failureOfCode, INVALID_TIMESTAMP, type KafkaFailure, kafkaFailureOf } from '../../kafka/errors.ts'
import { errorOfCode } from '../../kafka/kafkajs-internals.ts'
import type { RecordBatch } from '../../kafka/record-batch.ts'
import { retryDelay } from '../../kafka/retry.ts'
import type { Log } from '../../log/folded-log.ts'
import type { BatchStore } from '../left-pairs.ts'
import type { PairQueue } from '../pair-queue.ts'
import type { PairSource } from '../pair-source.ts'
import type { Sink, SinkContext } from '../sink.ts'
import type { KafkaSinkSpec } from '../worker-data.ts'
import { Batcher, type Partition } from './batcher.ts'
import { RecordEncoder } from './record-encoder.ts'
import { TopicClient } from './topic-client.ts'

/** Stands for the code of a partition that a response leaves out; in Kafka it means an unknown error. */
const NO_RESPONSE = -1
const ACKS = { none: 0, leader: 1, all: -1 } as const
/** Retry interval for errors that only a person can fix: credentials, permissions, settings. */
const REFUSED_RETRY_MS = 5_000
/** Lower limit when batches shrink because brokers refuse them for their size. */
const MIN_BATCH_BYTES = 16 * 1024
/** A batch is at most this share of the buffer, so that dropping one batch drops a small part of what waits. */
const BATCH_SHARE = 8

/**
 * Share of the buffer that may wait as encoded records for brokers that accept them: pairs are encoded as they are
 * sent, because JSON may need several times the memory.
 */
const ENCODED_SHARE = 8
/** Limit of bytes encoded per `pump`, so that the rings do not fill up during one. */
const MAX_ENCODE_BYTES = 2 * 1024 * 1024

/** A sealed batch, ready to be written. */
interface PackedBatch {
  partition: Partition
  batch: RecordBatch
  chunks: readonly Uint8Array[]
  bytes: number
}

export interface KafkaSinkParts {
  spec: KafkaSinkSpec
  context: SinkContext
  log: Log
  clock: () => number
  batches: BatchStore
}

export class KafkaSink implements Sink {
  readonly awaitsReader = false
  readonly end = null
  readonly obstacle = null
  readonly #spec: KafkaSinkSpec
  readonly #context: SinkContext
  readonly #log: Log
  readonly #clock: () => number
  readonly #cluster: TopicClient
  readonly #batcher: Batcher
  readonly #encoder: RecordEncoder
  readonly #compressor: Compressor | null
  readonly #failing = new Set<number>()
  /** The smallest batch of one pair that was refused for its size since the last refresh of the metadata. */
  #refusedBytes = Infinity
  #nextDueMs = 0

  /** @throws InterceptorError (EXIT_USAGE) when the settings cannot work here */
  constructor({ spec, context, log, clock, batches }: KafkaSinkParts) {
    this.#spec = spec
    this.#context = context
    this.#log = log
    this.#clock = clock
    this.#compressor = createCompressor(spec.kafka.compression)
    const batchBytes = Math.min(spec.batchBytes, Math.max(MIN_BATCH_BYTES, spec.bufferBytes / BATCH_SHARE))
    const options = { batchBytes, lingerMs: spec.lingerMs, maxAgeMs: spec.maxAgeMs }
    this.#batcher = new Batcher(options, batches)
    this.#encoder = new RecordEncoder({ ...spec, partitionBy: spec.kafka.partitionBy }, this.#batcher)
    this.#cluster = new TopicClient({
      settings: spec.kafka,
      maxMessageBytes: spec.largestRecordBytes,
      log,
      clock,
      onChange: (recovered) => this.#clusterChanged(recovered),
    })
  }

  get pairs(): number {
    return this.#batcher.pairs
  }

  get byteCount(): number {
    return this.#batcher.byteCount + this.#batcher.encoded(this.#isStalled).stalledGrowth
  }

  /** Whether no leader of a partition responds, or no broker was ever reached. */
  get down(): boolean {
    const { partitions } = this.#batcher
    if (partitions.length === 0) return this.#cluster.failing
    return partitions.every(({ leader }) => leader === -1 || this.#failing.has(leader))
  }

  get oldestMs(): number {
    return this.#batcher.oldestMs()
  }

  get reachable(): boolean | null {
    if (this.down) return false
    return this.#batcher.partitions.length > 0 ? true : null
  }

  get nextDueMs(): number {
    return this.#nextDueMs
  }

  get gatherMs(): number {
    return this.#spec.lingerMs
  }

  pump(queue: PairQueue, nowMs: number): void {
    this.#cluster.refreshIfDue(nowMs)
    const more = this.take(queue, nowMs)
    this.#dispatch(nowMs)
    if (more) this.#nextDueMs = nowMs
  }

  /** Encodes pairs. @returns whether this call reached its limit and more could be encoded */
  take(pairs: PairSource, nowMs: number): boolean {
    if (this.#batcher.partitions.length === 0 || this.down) return false
    const { ledger, limit } = this.#context
    const { sendable } = this.#batcher.encoded(this.#isStalled)
    const window = this.#spec.bufferBytes / ENCODED_SHARE - sendable
    let room = Math.min(MAX_ENCODE_BYTES, window)
    while (room > 0 && ledger.shippedPairs + this.#batcher.pairs < limit && pairs.front()) {
      pairs.take()
      const added = this.#encoder.add(pairs, nowMs, this.#maxBatchBytes)
      if (typeof added === 'number') {
        room -= added
        continue
      }
      ledger.dropped('rejected', 1)
      this.#log.warn(`a pair cannot be shipped and is dropped: ${added.message}`)
    }
    return room <= 0 && window > MAX_ENCODE_BYTES
  }

  flush(nowMs: number): void {
    this.#batcher.flushing = true
    this.#dispatch(nowMs)
  }

  dropOlder(maxAgeMs: number, nowMs: number): number {
    return this.#batcher.dropOlder(maxAgeMs, nowMs)
  }

  dropOver(maxBytes: number): number {
    return this.#batcher.dropOver(maxBytes)
  }

  discard(): number {
    return this.#batcher.discard()
  }

  close(): Promise<void> {
    this.#cluster.close()
    return Promise.resolve()
  }

  readonly #isStalled = (leader: number): boolean => leader === -1 || this.#failing.has(leader)

  /** The largest uncompressed batch that the topic accepts; the size of a compressed one is known only once packed. */
  get #maxBatchBytes(): number {
    if (this.#compressor !== null) return Infinity
    return Math.min(this.#cluster.maxMessageBytes ?? Infinity, this.#refusedBytes - 1)
  }

  /** Sends the batches that are due, and sets when the next one will be. */
  #dispatch(nowMs: number): void {
    if (!this.#cluster.connected) {
      this.#nextDueMs = this.#cluster.nextDueMs
      return
    }
    const byLeader = new Map<number, Partition[]>()
    for (const partition of this.#batcher.partitions) {
      if (partition.leader === -1 || this.#batcher.next(partition, nowMs) === null) continue
      const partitions = byLeader.get(partition.leader)
      if (partitions === undefined) byLeader.set(partition.leader, [partition])
      else partitions.push(partition)
    }
    for (const partition of this.#batcher.partitions) {
      const partitions = byLeader.get(partition.leader)
      if (partitions !== undefined && this.#batcher.next(partition, nowMs, true) !== null) partitions.push(partition)
    }
    for (const [leader, partitions] of byLeader) void this.#send(leader, partitions)
    this.#nextDueMs = Math.min(this.#batcher.nextDueMs(), this.#cluster.nextDueMs)
  }

  /** Sends one request with the batches in flight of partitions that one broker leads. Never rejects. */
  async #send(leader: number, partitions: readonly Partition[]): Promise<void> {
    const packed: PackedBatch[] = []
    try {
      for (const partition of partitions) {
        if (partition.inFlight !== null) packed.push(await this.#pack(partition, partition.inFlight))
      }
      const batches = packed.map(({ partition, chunks, bytes }) => ({
        partition: partition.id,
        batch: chunks,
        bytes,
      }))
      const onSend = (): void => {
        for (const { batch } of packed) batch.wasSent = true
      }
      const acks = ACKS[this.#spec.kafka.acks]
      const responses = await this.#cluster.produce(leader, { acks, partitions: batches, onSend })
      this.#reached(leader)
      const codes = new Map(responses.map(({ partition, errorCode }) => [partition, errorCode]))
      for (const one of packed) this.#settle(one, codes.get(one.partition.id) ?? NO_RESPONSE)
    } catch (error) {
      this.#failed(leader, partitions, error)
    }
    this.#dispatch(this.#clock())
    this.#context.wake()
  }

  async #pack(partition: Partition, batch: RecordBatch): Promise<PackedBatch> {
    if (this.#compressor === null) {
      const whole = batch.seal()
      return { partition, batch, chunks: [whole], bytes: whole.length }
    }
    const compressed = await this.#compressor.compress(batch.records)
    const header = batch.sealCompressed(compressed, this.#compressor.number)
    return { partition, batch, chunks: [header, compressed], bytes: header.length + compressed.length }
  }

  #settle({ partition, batch, bytes }: PackedBatch, code: number): void {
    // The batch was discarded, and counted, while it was in flight.
    if (partition.inFlight !== batch) return
    if (code === 0) {
      // A broker that has just started responds, but refuses batches until it leads its partitions again.
      this.#cluster.reportUp(partition.id)
      const { ledger } = this.#context
      partition.attempts = 0
      this.#batcher.done(partition, ledger.cell('shipped'))
      ledger.shippedBytes(bytes)
      return
    }
    const failure = failureOfCode(code)
    if (code === INVALID_TIMESTAMP && batch.hasTimestamp) this.#sendWithoutTime(partition, batch)
    else if (failure === 'invalidRecord' || failure === 'tooLarge')
      this.#isolateRefused(partition, batch, failure, code)
    else this.#refused(partition, failure, code)
  }

  /** The topic permits no such time, because this node's clock is wrong, or the broker's. */
  #sendWithoutTime(partition: Partition, batch: RecordBatch): void {
    batch.clearTimestamp()
    this.#batcher.putBack(partition)
    this.#log.warn('Kafka refuses this node’s time: records are sent without one; compare its clock with the brokers’')
  }

  /** The broker will never accept a record of this batch: halves the batch until that record is alone, and drops it. */
  #isolateRefused(partition: Partition, batch: RecordBatch, failure: KafkaFailure, code: number): void {
    if (batch.count > 1) {
      if (failure === 'tooLarge') this.#lowerBatchBytes(batch.size)
      this.#batcher.splitInFlight(partition)
      return
    }
    if (failure === 'tooLarge') this.#refusedBytes = Math.min(this.#refusedBytes, batch.size)
    const why = failure === 'tooLarge' ? `it is too large (${batch.size} bytes)` : 'it is invalid there'
    this.#log.warn(`Kafka refuses a pair, which is dropped: ${why}`, { code, bytes: batch.size })
    this.#batcher.done(partition, this.#context.ledger.cell('rejected'))
  }

  /** Batches of several records never exceed `batchBytes`: a refused one shows that the brokers' limit is lower. */
  #lowerBatchBytes(size: number): void {
    const smaller = Math.max(MIN_BATCH_BYTES, Math.floor(size / 2))
    if (smaller >= this.#batcher.batchBytes) return
    this.#batcher.batchBytes = smaller
    this.#log.info('the brokers refuse batches of this size; sending smaller ones', { batchBytes: smaller })
  }

  /** A broker is unreachable or did not respond. */
  #failed(leader: number, partitions: readonly Partition[], error: unknown): void {
    const failure = kafkaFailureOf(error)
    this.#failing.add(leader)
    for (const partition of partitions) this.#backOff(partition, failure)
    this.#waitWith(leader, partitions[0].retryAtMs)
    this.#cluster.requestFailed(failure)
    if (this.down) this.#cluster.reportDown(error)
    else this.#cluster.reportBrokerDown(leader, error)
  }

  /** The broker responded, and may accept this batch later. */
  #refused(partition: Partition, failure: KafkaFailure, code: number): void {
    this.#backOff(partition, failure)
    this.#cluster.requestFailed(failure)
    const error = errorOfCode(code)
    if (failure === 'refused') this.#cluster.reportDown(error)
    else this.#cluster.reportRefused(partition.id, code, error)
  }

  #backOff(partition: Partition, failure: KafkaFailure): void {
    this.#batcher.putBack(partition)
    const delay = failure === 'refused' ? REFUSED_RETRY_MS : retryDelay(partition.attempts)
    partition.attempts += 1
    partition.retryAtMs = this.#clock() + delay
  }

  /** A broker that fails is tried with one request for all its partitions, not with one for each. */
  #waitWith(leader: number, retryAtMs: number): void {
    for (const partition of this.#batcher.partitions) if (partition.leader === leader) partition.retryAtMs = retryAtMs
  }

  #reached(leader: number): void {
    this.#cluster.reportBrokerUp(leader)
    if (!this.#failing.delete(leader)) return
    // The broker responds again: send its batches now instead of waiting for their retry.
    for (const partition of this.#batcher.partitions) if (partition.leader === leader) partition.retryAtMs = 0
  }

  #clusterChanged(recovered: boolean): void {
    this.#batcher.setLeaders(this.#cluster.leaders)
    this.#refusedBytes = Infinity
    const { maxMessageBytes } = this.#cluster
    if (maxMessageBytes !== null) this.#batcher.batchBytes = Math.min(this.#batcher.batchBytes, maxMessageBytes)
    this.#failing.clear()
    if (recovered) for (const partition of this.#batcher.partitions) partition.retryAtMs = 0
    this.#context.wake()
  }
}
