/**
 * Record batches per partition, on their way: laid, waiting, in flight. Pure: no network, time is given.
 *
 * A lane is one partition. At most one of its batches is in flight, and a batch that failed goes back to the front, so
 * the records of a partition (and of each connection in it) stay in order, whatever happens.
 *
 *     open (being filled) → sealed (full, waiting) → inFlight → shipped, or back to the front of sealed
 */
import { RecordBatch } from '../../kafka/record-batch.ts'

/** Memory of done batches kept for the next ones. */
const POOL_BYTES = 8 * 1024 * 1024
/** A batch takes pairs for at most this share of `maxAge`, so that dropping it drops nothing much younger. */
const AGE_SHARE = 16

/** One partition. The sender owns `leader`, `retryAtMs` and `attempts`. */
export interface Lane {
  readonly partition: number
  /** The leading broker; −1: none known. */
  leader: number
  open: RecordBatch | null
  /** Oldest first. */
  sealed: RecordBatch[]
  inFlight: RecordBatch | null
  /** Not before this time, after a failure. */
  retryAtMs: number
  attempts: number
}

export interface BatcherOptions {
  /** A batch is full with this many bytes. A longer record goes alone. */
  batchBytes: number
  lingerMs: number
  maxAgeMs: number
}

export class Batcher {
  /** Pairs in all lanes, in flight too, and what they count for in the buffer. */
  pairs = 0
  byteCount = 0
  /** May fall when brokers turn out to take less. */
  batchBytes: number
  /** No more pairs come: nothing waits to become fuller. */
  flushing = false
  readonly #options: BatcherOptions
  #lanes: Lane[] = []
  #pool: RecordBatch[] = []
  #poolBytes = 0

  constructor(options: BatcherOptions) {
    this.#options = options
    this.batchBytes = options.batchBytes
  }

  /** By partition. */
  get lanes(): readonly Lane[] {
    return this.#lanes
  }

  /** Makes as many lanes as there are partitions and notes who leads them. Batches of vanished partitions move on. */
  setLeaders(leaders: readonly number[]): void {
    const gone = this.#lanes.slice(leaders.length)
    this.#lanes = leaders.map((leader, partition) => {
      const lane = this.#lanes[partition] ?? newLane(partition)
      lane.leader = leader
      return lane
    })
    for (const lane of gone) this.#moveOn(lane)
  }

  /**
   * Where the next record of a partition is to be appended; call `added` after that.
   *
   * @param recordBytes about what it will take
   */
  batchFor(partition: number, recordBytes: number, nowMs: number): RecordBatch {
    const lane = this.#lanes[partition]
    const { open } = lane
    if (open !== null && !this.#isFull(open, recordBytes, nowMs)) return open
    if (open !== null) lane.sealed.push(open)
    lane.open = this.#take()
    return lane.open
  }

  /**
   * Accounts for a pair appended to an open batch.
   *
   * @param heldBytes what it counted for in the queue: it counts for the same here, however long its record is, so that
   *   moving pairs on never overfills the buffer
   */
  added(batch: RecordBatch, heldBytes: number): void {
    this.pairs += 1
    this.byteCount += heldBytes
    batch.heldBytes += heldBytes
  }

  /**
   * Bytes of encoded records, apart for partitions that can be sent to and for those that cannot.
   *
   * @returns for those that cannot, by how much they are larger than what their pairs count for
   */
  encoded(isStalled: (leader: number) => boolean): { moving: number; stalledGrowth: number } {
    let moving = 0
    let stalledGrowth = 0
    for (const lane of this.#lanes) {
      const stalled = isStalled(lane.leader)
      for (const batch of [lane.inFlight, ...lane.sealed, lane.open]) {
        if (batch === null) continue
        if (stalled) stalledGrowth += Math.max(0, batch.size - batch.heldBytes)
        else moving += batch.size
      }
    }
    return { moving, stalledGrowth }
  }

  /** The batch a lane should send now, marked as in flight; null when it has none, waits, or has one in flight. */
  next(lane: Lane, nowMs: number): RecordBatch | null {
    if (lane.inFlight !== null || lane.retryAtMs > nowMs) return null
    const sealed = lane.sealed.shift()
    if (sealed !== undefined) lane.inFlight = sealed
    else if (lane.open !== null && this.#isDue(lane.open, nowMs)) {
      lane.inFlight = lane.open
      lane.open = null
    }
    return lane.inFlight
  }

  /** When the oldest pair arrived, of those in flight too; Infinity while there is none. */
  oldestMs(): number {
    let oldest = Infinity
    for (const lane of this.#lanes) {
      const batch = lane.inFlight ?? lane.sealed[0] ?? lane.open
      if (batch != null && batch.count > 0) oldest = Math.min(oldest, batch.oldestMs)
    }
    return oldest
  }

  /** When `next` may have something, by time alone; Infinity: not before something else happens. */
  nextDueMs(): number {
    let due = Infinity
    for (const lane of this.#lanes) {
      if (lane.inFlight !== null || lane.leader === -1) continue
      const head = lane.sealed[0]
      if (head !== undefined) due = Math.min(due, lane.retryAtMs)
      else if (lane.open !== null) due = Math.min(due, Math.max(lane.retryAtMs, this.#dueMs(lane.open)))
    }
    return due
  }

  /** The batch in flight is settled: shipped or dropped. */
  done(lane: Lane): void {
    const batch = lane.inFlight
    if (batch === null) return
    lane.inFlight = null
    this.#forget(batch)
    this.#recycle(batch)
  }

  /** The batch in flight failed: it goes first again. Its memory may still be in a socket's hands, but is only read. */
  putBack(lane: Lane): void {
    if (lane.inFlight === null) return
    lane.sealed.unshift(lane.inFlight)
    lane.inFlight = null
  }

  /** The batch in flight is to be sent again in two halves; it has at least two records. */
  splitInFlight(lane: Lane): void {
    const batch = lane.inFlight
    if (batch === null) return
    lane.sealed.unshift(batch, batch.split())
    lane.inFlight = null
  }

  /** Drops waiting batches whose every pair is older than `maxAgeMs`. @returns pairs dropped */
  dropOlder(maxAgeMs: number, nowMs: number): number {
    const before = this.pairs
    const cutoff = nowMs - maxAgeMs
    for (const lane of this.#lanes) {
      while (lane.sealed.length > 0 && lane.sealed[0].newestMs < cutoff) this.#dropOldest(lane)
      if (lane.sealed.length === 0 && lane.open !== null && lane.open.newestMs < cutoff) this.#dropOldest(lane)
    }
    return before - this.pairs
  }

  /** Drops waiting batches, oldest first across partitions, until at most `maxBytes` are held. @returns pairs dropped */
  dropOver(maxBytes: number): number {
    const before = this.pairs
    while (this.byteCount > maxBytes) {
      const lane = this.#oldestLane()
      if (lane === null) break
      this.#dropOldest(lane)
    }
    return before - this.pairs
  }

  /** Forgets everything, in flight too. @returns pairs forgotten */
  discard(): number {
    const { pairs } = this
    this.pairs = 0
    this.byteCount = 0
    for (const lane of this.#lanes) {
      lane.sealed = []
      lane.open = null
      lane.inFlight = null
    }
    return pairs
  }

  #isFull(batch: RecordBatch, recordBytes: number, nowMs: number): boolean {
    if (batch.count === 0) return false
    if (batch.size + recordBytes > this.batchBytes) return true
    return nowMs - batch.oldestMs > this.#options.maxAgeMs / AGE_SHARE
  }

  #dueMs(batch: RecordBatch): number {
    const ready = this.flushing || batch.size >= this.batchBytes
    return ready ? -Infinity : batch.oldestMs + this.#options.lingerMs
  }

  #isDue(batch: RecordBatch, nowMs: number): boolean {
    return batch.count > 0 && this.#dueMs(batch) <= nowMs
  }

  #oldestLane(): Lane | null {
    let oldest: Lane | null = null
    let oldestMs = Infinity
    for (const lane of this.#lanes) {
      const batch = lane.sealed[0] ?? lane.open
      if (batch == null || batch.count === 0 || batch.oldestMs >= oldestMs) continue
      oldest = lane
      oldestMs = batch.oldestMs
    }
    return oldest
  }

  #dropOldest(lane: Lane): void {
    const batch = lane.sealed.shift() ?? lane.open
    if (batch === null) return
    if (batch === lane.open) lane.open = null
    this.#forget(batch)
  }

  #moveOn(lane: Lane): void {
    const target = this.#lanes[lane.partition % this.#lanes.length]
    const batches = [lane.inFlight, ...lane.sealed, lane.open].filter((batch) => batch !== null)
    target.sealed.unshift(...batches)
    lane.inFlight = null
    lane.sealed = []
    lane.open = null
  }

  #forget(batch: RecordBatch): void {
    this.pairs -= batch.count
    this.byteCount -= batch.heldBytes
  }

  #take(): RecordBatch {
    const batch = this.#pool.pop() ?? new RecordBatch()
    this.#poolBytes -= this.#pool.length === 0 ? this.#poolBytes : batch.capacity
    return batch
  }

  #recycle(batch: RecordBatch): void {
    if (this.#poolBytes + batch.capacity > POOL_BYTES) return
    batch.clear()
    this.#pool.push(batch)
    this.#poolBytes += batch.capacity
  }
}

const newLane = (partition: number): Lane => ({
  partition,
  leader: -1,
  open: null,
  sealed: [],
  inFlight: null,
  retryAtMs: 0,
  attempts: 0,
})
