/**
 * The record batches of each partition until they are acknowledged: being filled, waiting, in flight. Pure: no network,
 * time is passed in.
 *
 * A partition has at most one batch in flight, and a batch that failed returns to the front of the waiting ones. So the
 * records of a partition, and of each connection in it, stay in order through any failure.
 *
 *     open (being filled) → sealed (full, waiting) → inFlight → shipped, or back to the front of sealed
 */
import { type BatchMemorySource, RecordBatch } from '../../kafka/record-batch.ts'
import type { CounterCell } from '../../ledger/ship-ledger.ts'
import type { BatchStore } from '../left-pairs.ts'

/** Memory of acknowledged batches that is kept for the next ones, and with more than 128 partitions for each of them. */
const POOL_BYTES = 8 * 1024 * 1024
const PARTITION_POOL_BYTES = 64 * 1024
const MOST_POOL_BYTES = 32 * 1024 * 1024
/**
 * The pairs of a batch arrived within this share of `maxAge`, so that dropping it drops no pair much younger than the
 * oldest.
 */
const AGE_SHARE = 16
/**
 * Pairs that arrive within this share of the linger time after each other belong to one burst; those that go on for
 * longer, to none.
 */
const BURST_SHARE = 10
/**
 * Where no pair had arrived for more than this share of the linger time before a burst, batches are sent when the burst
 * ends: the next one will come too late to be waited for. Pairs arrive in bursts, one for each block of a kernel ring.
 */
const RARE_SHARE = 2
/**
 * An open batch joins the request of another one from this share of its bytes or of its linger time on: a request costs
 * more CPU than a batch, and partitions fill alike.
 */
const JOIN_SHARE = 2

/** One partition. The sender owns `leader`, `retryAtMs` and `attempts`. */
export interface Partition {
  /** The partition's number in its topic. */
  readonly id: number
  /** The leading broker; −1: none known. */
  leader: number
  open: RecordBatch | null
  /** Oldest first. */
  sealed: RecordBatch[]
  inFlight: RecordBatch | null
  /** Nothing is sent before this time, after a failure. */
  retryAtMs: number
  attempts: number
}

export interface BatcherOptions {
  /** A batch of this many bytes is full. A longer record is sent in a batch of its own. */
  batchBytes: number
  /** The longest time that a batch waits for more pairs. */
  lingerMs: number
  /** `ship.maxAge`. A batch is dropped as a whole, so it holds pairs of only a small part of this time. */
  maxAgeMs: number
}

export class Batcher {
  /** Pairs in all batches, also those in flight, and the bytes they count for in the buffer. */
  pairs = 0
  byteCount = 0
  /** Lowered when brokers refuse batches for their size. */
  batchBytes: number
  /** No more pairs will come, so batches are sent without waiting for more. */
  flushing = false
  readonly #options: BatcherOptions
  readonly #memory: BatchMemorySource
  #partitions: Partition[] = []
  /** Batches of an earlier batcher, until the topic's partitions are known. Never sent from here. */
  readonly #unassigned = newPartition(-1)
  #order = 0
  /** When the newest pair of all batches arrived, and when it was added. */
  #newestMs = -Infinity
  #addedMs = -Infinity
  /** When the latest burst of pairs began, and how long none had arrived before it; 0: pairs arrive without pause. */
  #burstMs = -Infinity
  #pauseMs = 0
  #pool: RecordBatch[] = []
  #poolBytes = 0

  constructor(options: BatcherOptions, { source, left }: BatchStore) {
    this.#options = options
    this.#memory = source
    this.batchBytes = options.batchBytes
    this.#unassigned.sealed = [...left].sort((a, b) => a.order - b.order)
    for (const batch of left) {
      this.pairs += batch.count
      this.byteCount += batch.heldBytes
      this.#order = Math.max(this.#order, Math.floor(batch.order) + 1)
    }
  }

  /** The partitions, indexed by number. */
  get partitions(): readonly Partition[] {
    return this.#partitions
  }

  /** Sets the topic's partitions and their leaders. Batches of partitions that were removed move to another one. */
  setLeaders(leaders: readonly number[]): void {
    const removed = this.#partitions.slice(leaders.length)
    this.#partitions = leaders.map((leader, id) => {
      const partition = this.#partitions[id] ?? newPartition(id)
      partition.leader = leader
      return partition
    })
    for (const partition of removed) this.#reassign(partition)
    if (leaders.length === 0) return
    for (const batch of this.#unassigned.sealed) this.#partitions[batch.partition % leaders.length].sealed.push(batch)
    this.#unassigned.sealed = []
  }

  /**
   * Returns the batch to append the next record of a partition to; call `added` after that.
   *
   * @param id the partition's number
   * @param recordBytes estimated length of the record
   * @param arrivedMs when the pair arrived: long ago, after an outage
   */
  batchFor(id: number, recordBytes: number, arrivedMs: number): RecordBatch {
    const partition = this.#partitions[id]
    const { open } = partition
    if (open !== null && !this.#isFull(open, recordBytes, arrivedMs)) return open
    if (open !== null) partition.sealed.push(open)
    partition.open = this.#emptyBatch()
    partition.open.place(id, this.#order)
    this.#order += 1
    return partition.open
  }

  /**
   * Accounts for a pair appended to an open batch.
   *
   * @param heldBytes the bytes it counted for in the queue. It counts for as many here, not for the length of its
   *   record, so that moving pairs from the queue never overfills the buffer
   */
  added(batch: RecordBatch, heldBytes: number, nowMs: number): void {
    this.pairs += 1
    this.byteCount += heldBytes
    batch.heldBytes += heldBytes
    if (nowMs > this.#addedMs) this.#noteArrival(batch.newestMs, nowMs)
  }

  /**
   * Bytes of encoded records, separately for partitions that accept batches and for those that do not.
   *
   * @returns `sendable`: bytes of the former; `stalledGrowth`: by how many bytes the latter exceed what their pairs count for
   */
  encoded(isStalled: (leader: number) => boolean): { sendable: number; stalledGrowth: number } {
    let sendable = 0
    let stalledGrowth = 0
    for (const { leader, inFlight, sealed, open } of this.#all) {
      if (isStalled(leader)) {
        stalledGrowth += growth(inFlight) + growth(open)
        for (const batch of sealed) stalledGrowth += growth(batch)
        continue
      }
      sendable += (inFlight?.size ?? 0) + (open?.size ?? 0)
      for (const batch of sealed) sendable += batch.size
    }
    return { sendable, stalledGrowth }
  }

  /**
   * Marks the batch to send now as in flight and returns it; null when none is due, or one is already in flight.
   *
   * @param joins whether another batch is being sent to the same broker
   */
  next(partition: Partition, nowMs: number, joins = false): RecordBatch | null {
    if (partition.inFlight !== null || partition.retryAtMs > nowMs) return null
    const sealed = partition.sealed.shift()
    if (sealed !== undefined) partition.inFlight = sealed
    else if (partition.open !== null && this.#isDue(partition.open, nowMs, joins)) {
      partition.inFlight = partition.open
      partition.open = null
    }
    return partition.inFlight
  }

  /** When the oldest pair arrived, including pairs in flight; Infinity while there is none. */
  oldestMs(): number {
    let oldest = Infinity
    for (const partition of this.#all) {
      const batch = partition.inFlight ?? partition.sealed[0] ?? partition.open
      if (batch != null && batch.count > 0) oldest = Math.min(oldest, batch.oldestMs)
    }
    return oldest
  }

  /** When a batch becomes due by time alone; Infinity: none does. */
  nextDueMs(): number {
    let due = Infinity
    for (const partition of this.#partitions) {
      if (partition.inFlight !== null || partition.leader === -1) continue
      const head = partition.sealed[0]
      if (head !== undefined) due = Math.min(due, partition.retryAtMs)
      else if (partition.open !== null) due = Math.min(due, Math.max(partition.retryAtMs, this.#dueMs(partition.open)))
    }
    return due
  }

  /** Removes the batch in flight, which was shipped or dropped. @param cell where its pairs are counted */
  done(partition: Partition, cell: CounterCell): void {
    const batch = partition.inFlight
    if (batch === null) return
    partition.inFlight = null
    this.#subtract(batch)
    batch.countInto(cell)
    this.#recycle(batch)
  }

  /** Returns a failed batch to the front. A socket may still be reading its memory, which a sealed batch permits. */
  putBack(partition: Partition): void {
    if (partition.inFlight === null) return
    partition.sealed.unshift(partition.inFlight)
    partition.inFlight = null
  }

  /** Replaces the batch in flight, of at least two records, by its two halves at the front. */
  splitInFlight(partition: Partition): void {
    const batch = partition.inFlight
    if (batch === null) return
    partition.sealed.unshift(batch, batch.split())
    partition.inFlight = null
  }

  /** Drops waiting batches whose every pair is older than `maxAgeMs`. @returns pairs dropped */
  dropOlder(maxAgeMs: number, nowMs: number): number {
    const before = this.pairs
    const cutoff = nowMs - maxAgeMs
    for (const partition of this.#all) {
      const { sealed } = partition
      // A batch that was sent may have been stored: it stays until it is acknowledged, or the buffer is full.
      if (sealed[0]?.wasSent === true) continue
      while (sealed.length > 0 && sealed[0].newestMs < cutoff) this.#dropOldest(partition)
      const { open } = partition
      if (sealed.length === 0 && open !== null && open.newestMs < cutoff) this.#dropOldest(partition)
    }
    return before - this.pairs
  }

  /**
   * Drops waiting batches, oldest first across partitions, until at most `maxBytes` are held.
   *
   * @returns pairs dropped
   */
  dropOver(maxBytes: number): number {
    const before = this.pairs
    while (this.byteCount > maxBytes) {
      const partition = this.#oldestPartition()
      if (partition === null) break
      this.#dropOldest(partition)
    }
    return before - this.pairs
  }

  /** Drops all batches, also those in flight. @returns pairs dropped */
  discard(): number {
    const { pairs } = this
    this.pairs = 0
    this.byteCount = 0
    for (const partition of this.#all) {
      for (const batch of [partition.inFlight, ...partition.sealed, partition.open]) batch?.release(batch.wasSent)
      partition.sealed = []
      partition.open = null
      partition.inFlight = null
    }
    return pairs
  }

  get #all(): readonly Partition[] {
    return this.#unassigned.sealed.length === 0 ? this.#partitions : [...this.#partitions, this.#unassigned]
  }

  /**
   * Pairs that gathered in their ring while the shipper slept may have arrived at any time of it: there was no pause
   * before them.
   */
  #noteArrival(arrivedMs: number, nowMs: number): void {
    const pauseMs = arrivedMs - this.#addedMs
    const longestMs = this.#options.lingerMs / BURST_SHARE
    this.#addedMs = nowMs
    this.#newestMs = Math.max(this.#newestMs, arrivedMs)
    if (pauseMs > longestMs) {
      this.#burstMs = arrivedMs
      this.#pauseMs = pauseMs
    } else if (arrivedMs - this.#burstMs > longestMs) this.#pauseMs = 0
  }

  #isFull(batch: RecordBatch, recordBytes: number, arrivedMs: number): boolean {
    if (batch.count === 0) return false
    if (batch.size + recordBytes > this.batchBytes) return true
    return arrivedMs - batch.oldestMs > this.#options.maxAgeMs / AGE_SHARE
  }

  #dueMs(batch: RecordBatch): number {
    if (this.flushing || batch.size >= this.batchBytes) return -Infinity
    const { lingerMs } = this.#options
    if (this.#pauseMs * RARE_SHARE <= lingerMs) return batch.oldestMs + lingerMs
    const quietMs = Math.ceil(lingerMs / BURST_SHARE)
    // The newest pair of all partitions decides, so that their batches share a request.
    return Math.min(batch.oldestMs + lingerMs, this.#newestMs + quietMs)
  }

  #isDue(batch: RecordBatch, nowMs: number, joins: boolean): boolean {
    if (batch.count === 0) return false
    if (this.#dueMs(batch) <= nowMs) return true
    const { lingerMs } = this.#options
    return joins && (batch.size * JOIN_SHARE >= this.batchBytes || (nowMs - batch.oldestMs) * JOIN_SHARE >= lingerMs)
  }

  #oldestPartition(): Partition | null {
    let oldest: Partition | null = null
    let oldestMs = Infinity
    for (const partition of this.#all) {
      const batch = partition.sealed[0] ?? partition.open
      if (batch == null || batch.count === 0 || batch.oldestMs >= oldestMs) continue
      oldest = partition
      oldestMs = batch.oldestMs
    }
    return oldest
  }

  #dropOldest(partition: Partition): void {
    const batch = partition.sealed.shift() ?? partition.open
    if (batch === null) return
    if (batch === partition.open) partition.open = null
    this.#subtract(batch)
    // One that was sent before may still be read by a socket.
    if (batch.wasSent) batch.release(true)
    else this.#recycle(batch)
  }

  #reassign(partition: Partition): void {
    const target = this.#partitions[partition.id % this.#partitions.length]
    const batches = [partition.inFlight, ...partition.sealed, partition.open].filter((batch) => batch !== null)
    target.sealed.unshift(...batches)
    partition.inFlight = null
    partition.sealed = []
    partition.open = null
  }

  #subtract(batch: RecordBatch): void {
    this.pairs -= batch.count
    this.byteCount -= batch.heldBytes
  }

  #emptyBatch(): RecordBatch {
    const batch = this.#pool.pop() ?? new RecordBatch(this.#memory)
    this.#poolBytes -= this.#pool.length === 0 ? this.#poolBytes : batch.capacity
    return batch
  }

  #recycle(batch: RecordBatch): void {
    const limit = Math.min(MOST_POOL_BYTES, Math.max(POOL_BYTES, this.#partitions.length * PARTITION_POOL_BYTES))
    if (this.#poolBytes + batch.capacity > limit) {
      batch.release(false)
      return
    }
    batch.clear()
    this.#pool.push(batch)
    this.#poolBytes += batch.capacity
  }
}

/** How many bytes a batch needs beyond those that are counted for its pairs. */
const growth = (batch: RecordBatch | null): number => (batch === null ? 0 : Math.max(0, batch.size - batch.heldBytes))

const newPartition = (id: number): Partition => ({
  id,
  leader: -1,
  open: null,
  sealed: [],
  inFlight: null,
  retryAtMs: 0,
  attempts: 0,
})
