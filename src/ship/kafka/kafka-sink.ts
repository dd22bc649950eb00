/**
 * Pairs to a Kafka topic. Takes pairs from the queue while some broker can be reached, lays them into record batches per
 * partition and keeps one batch per partition in flight; several ready ones for one broker share a request.
 *
 * At least once: a batch whose fate is unknown is sent again. Whatever goes wrong is tried again until the buffer's
 * bounds let the pairs go, except records a broker refuses for good: those are found by halving their batch and dropped
 * alone. Thread: the shipper's, on its event loop.
 */

import { type Compressor, createCompressor } from '../../kafka/codecs.ts'
import { failureOf, failureOfCode, failureText, type KafkaFailure } from '../../kafka/errors.ts'
import type { PartitionAnswer } from '../../kafka/kafkajs-wire.ts'
import type { RecordBatch } from '../../kafka/record-batch.ts'
import { retryDelay } from '../../kafka/retry.ts'
import type { Log } from '../../log/folded-log.ts'
import type { PairQueue } from '../pair-queue.ts'
import type { Sink, SinkContext } from '../sink.ts'
import type { KafkaSinkSpec } from '../worker-data.ts'
import { Batcher, type Lane } from './batcher.ts'
import { RecordEncoder } from './record-encoder.ts'
import { TopicClient } from './topic-client.ts'

const ACKS = { none: 0, leader: 1, all: -1 } as const
/** Where a person must act, asking often helps nobody. */
const REFUSED_RETRY_MS = 5_000
/** Brokers that refuse batches for their size are not tried with smaller ones than this. */
const MIN_BATCH_BYTES = 16 * 1024
/** A batch is at most this share of the buffer, so that dropping one batch does not drop half of what waits. */
const BATCH_SHARE = 8

/**
 * Share of the buffer that may wait as encoded records for brokers that accept them: pairs are encoded as they are sent,
 * because JSON may take several times the memory.
 */
const ENCODED_SHARE = 8
/** Encoded in one turn at most, so that the rings do not fill meanwhile. */
const TURN_BYTES = 2 * 1024 * 1024

/** A batch on its way, ready to be written. */
interface Parcel {
  lane: Lane
  batch: RecordBatch
  chunks: readonly Uint8Array[]
  bytes: number
}

export class KafkaSink implements Sink {
  readonly end = null
  readonly #spec: KafkaSinkSpec
  readonly #context: SinkContext
  readonly #log: Log
  readonly #clock: () => number
  readonly #cluster: TopicClient
  readonly #batcher: Batcher
  readonly #encoder: RecordEncoder
  readonly #compressor: Compressor | null
  readonly #failing = new Set<number>()
  /** The smallest batch of one pair that was refused for its size since the topic was last looked at. */
  #refusedBytes = Infinity
  #nextDueMs = 0

  /** @throws InterceptorError (exit 2) when the settings cannot work here */
  constructor(spec: KafkaSinkSpec, context: SinkContext, log: Log, clock: () => number) {
    this.#spec = spec
    this.#context = context
    this.#log = log
    this.#clock = clock
    this.#compressor = createCompressor(spec.kafka.compression)
    const batchBytes = Math.min(spec.batchBytes, Math.max(MIN_BATCH_BYTES, spec.bufferBytes / BATCH_SHARE))
    this.#batcher = new Batcher({ batchBytes, lingerMs: spec.lingerMs, maxAgeMs: spec.maxAgeMs })
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
    return this.#batcher.byteCount + this.#batcher.encoded((leader) => this.#isStalled(leader)).stalledGrowth
  }

  /** No broker that leads a partition answers, or none was ever found. */
  get away(): boolean {
    const { lanes } = this.#batcher
    if (lanes.length === 0) return this.#cluster.failing
    return this.#failing.size > 0 && lanes.every(({ leader }) => leader === -1 || this.#failing.has(leader))
  }

  get oldestMs(): number {
    return this.#batcher.oldestMs()
  }

  get reachable(): boolean | null {
    if (this.away) return false
    return this.#batcher.lanes.length > 0 ? true : null
  }

  get nextDueMs(): number {
    return this.#nextDueMs
  }

  pump(queue: PairQueue, nowMs: number): void {
    this.#cluster.refreshIfDue(nowMs)
    const more = this.#batcher.lanes.length > 0 && !this.away && this.#takeFrom(queue, nowMs)
    this.#dispatch(nowMs)
    if (more) this.#nextDueMs = nowMs
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

  /** Encodes pairs of the queue. @returns whether this turn's share is used up, while more could be encoded */
  #takeFrom(queue: PairQueue, nowMs: number): boolean {
    const { ledger, limit } = this.#context
    const { moving } = this.#batcher.encoded((leader) => this.#isStalled(leader))
    const window = this.#spec.bufferBytes / ENCODED_SHARE - moving
    let room = Math.min(TURN_BYTES, window)
    while (room > 0 && ledger.shippedPairs + this.#batcher.pairs < limit && queue.front()) {
      const added = this.#encoder.add(queue, nowMs, this.#maxBatchBytes)
      queue.pop()
      if (typeof added === 'number') {
        room -= added
        continue
      }
      ledger.dropped('rejected', 1)
      this.#log.warn(`a pair cannot be shipped and is dropped: ${added.message}`)
    }
    return room <= 0 && window > TURN_BYTES
  }

  #isStalled(leader: number): boolean {
    return leader === -1 || this.#failing.has(leader)
  }

  /** What the topic accepts of an uncompressed batch; how far a compressed one shrinks shows when it is sent. */
  get #maxBatchBytes(): number {
    if (this.#compressor !== null) return Infinity
    return Math.min(this.#cluster.maxMessageBytes ?? Infinity, this.#refusedBytes - 1)
  }

  /** Sends what is ready, and notes when to look again. */
  #dispatch(nowMs: number): void {
    if (!this.#cluster.connected) {
      this.#nextDueMs = this.#cluster.nextDueMs
      return
    }
    const byLeader = new Map<number, Lane[]>()
    for (const lane of this.#batcher.lanes) {
      if (lane.leader === -1 || this.#batcher.next(lane, nowMs) === null) continue
      const lanes = byLeader.get(lane.leader)
      if (lanes === undefined) byLeader.set(lane.leader, [lane])
      else lanes.push(lane)
    }
    for (const [leader, lanes] of byLeader) void this.#send(leader, lanes)
    this.#nextDueMs = Math.min(this.#batcher.nextDueMs(), this.#cluster.nextDueMs)
  }

  /** One request. Never rejects. */
  async #send(leader: number, lanes: readonly Lane[]): Promise<void> {
    const parcels: Parcel[] = []
    try {
      for (const lane of lanes) {
        if (lane.inFlight !== null) parcels.push(await this.#pack(lane, lane.inFlight))
      }
      const partitions = parcels.map(({ lane, chunks, bytes }) => ({ partition: lane.partition, batch: chunks, bytes }))
      const answers = await this.#cluster.produce(leader, { acks: ACKS[this.#spec.kafka.acks], partitions })
      this.#reached(leader)
      for (const parcel of parcels) this.#settle(parcel, answers)
    } catch (error) {
      this.#failed(leader, lanes, error)
    }
    this.#dispatch(this.#clock())
    this.#context.wake()
  }

  async #pack(lane: Lane, batch: RecordBatch): Promise<Parcel> {
    if (this.#compressor === null) {
      const whole = batch.seal()
      return { lane, batch, chunks: [whole], bytes: whole.length }
    }
    const compressed = await this.#compressor.compress(batch.records)
    const header = batch.sealCompressed(compressed, this.#compressor.number)
    return { lane, batch, chunks: [header, compressed], bytes: header.length + compressed.length }
  }

  #settle({ lane, batch, bytes }: Parcel, answers: readonly PartitionAnswer[]): void {
    // Given up on while it was on its way: already counted.
    if (lane.inFlight !== batch) return
    const code = answers.find(({ partition }) => partition === lane.partition)?.errorCode ?? -1
    if (code === 0) {
      this.#context.ledger.shipped(batch.count, bytes)
      lane.attempts = 0
      this.#batcher.done(lane)
      return
    }
    const failure = failureOfCode(code)
    if (failure === 'invalidRecord' || failure === 'tooLarge') this.#narrow(lane, batch, failure, code)
    else this.#backOff(lane, failure, `partition ${lane.partition} answered with error ${code}`)
  }

  /** A record in this batch is refused for good: find it by halving. */
  #narrow(lane: Lane, batch: RecordBatch, failure: KafkaFailure, code: number): void {
    if (batch.count > 1) {
      if (failure === 'tooLarge') this.#learnBatchBytes(batch.size)
      this.#batcher.splitInFlight(lane)
      return
    }
    this.#context.ledger.dropped('rejected', 1)
    if (failure === 'tooLarge') this.#refusedBytes = Math.min(this.#refusedBytes, batch.size)
    const why = failure === 'tooLarge' ? `it is too large (${batch.size} bytes)` : 'it is invalid there'
    this.#log.warn(`Kafka refuses a pair, which is dropped: ${why}`, { code, bytes: batch.size })
    this.#batcher.done(lane)
  }

  /** Batches of several records are never larger than `batchBytes`, so this one says that the brokers take less. */
  #learnBatchBytes(size: number): void {
    const smaller = Math.max(MIN_BATCH_BYTES, Math.floor(size / 2))
    if (smaller >= this.#batcher.batchBytes) return
    this.#batcher.batchBytes = smaller
    this.#log.info('the brokers refuse batches of this size; smaller ones are made', { batchBytes: smaller })
  }

  /** A broker could not be reached, or did not answer. */
  #failed(leader: number, lanes: readonly Lane[], error: unknown): void {
    const failure = failureOf(error)
    this.#failing.add(leader)
    for (const lane of lanes) this.#backOff(lane, failure, null)
    this.#cluster.suspect(failure)
    if (this.away) this.#cluster.reportDown(error)
    else this.#log.warn(`a broker does not accept pairs: ${failureText(error)}`, { broker: leader })
  }

  #backOff(lane: Lane, failure: KafkaFailure, reason: string | null): void {
    this.#batcher.putBack(lane)
    const delay = failure === 'refused' ? REFUSED_RETRY_MS : retryDelay(lane.attempts)
    lane.attempts += 1
    lane.retryAtMs = this.#clock() + delay
    if (reason !== null) {
      this.#log.warn(`Kafka does not accept pairs now: ${reason} (${failure})`)
      this.#cluster.suspect(failure)
    }
  }

  #reached(leader: number): void {
    this.#cluster.reportUp()
    if (!this.#failing.delete(leader)) return
    // What waits for this broker need not wait any longer.
    for (const lane of this.#batcher.lanes) if (lane.leader === leader) lane.retryAtMs = 0
  }

  #clusterChanged(recovered: boolean): void {
    this.#batcher.setLeaders(this.#cluster.leaders)
    this.#refusedBytes = Infinity
    const { maxMessageBytes } = this.#cluster
    if (maxMessageBytes !== null) this.#batcher.batchBytes = Math.min(this.#batcher.batchBytes, maxMessageBytes)
    this.#failing.clear()
    if (recovered) for (const lane of this.#batcher.lanes) lane.retryAtMs = 0
    this.#context.wake()
  }
}
