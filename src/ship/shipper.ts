/**
 * The last stage: reads pairs from the pair rings into a bounded buffer and passes them to one sink, which takes them from the
 * rings directly while none waits.
 *
 * Thread: the shipper's. Each iteration of its loop applies the command, reads the rings, pumps the sink and enforces
 * the bounds. After each of them, exactly: pairs read from the rings = shipped + Σ dropped + queued.
 */

import type { ShipLedger } from '../ledger/ship-ledger.ts'
import type { Log } from '../log/folded-log.ts'
import type { RingConsumer } from '../ring/byte-ring.ts'
import type { Doorbell } from '../ring/doorbell.ts'
import { COMMAND_RUN, COMMAND_STOP, type Control } from '../thread/control.ts'
import { CpuTimeRecorder } from '../thread/cpu-time.ts'
import { type BoundReason, DropLog } from './drop-log.ts'
import type { PairQueue } from './pair-queue.ts'
import { RingPairs } from './ring-pairs.ts'
import { shipClock } from './ship-clock.ts'
import type { Sink, SinkEnd } from './sink.ts'
import type { ShipStatus } from './status.ts'
import type { Tap } from './tap/tap.ts'

/** Limit of bytes read from each ring per iteration, so that no ring starves the others or the event loop. */
const MAX_READ_BYTES = 1024 * 1024
/** After an iteration that read less, the loop sleeps for NAP_MS, so that pairs gather. */
const BUSY_BYTES = 256 * 1024
const NAP_MS = 1
/** The same in live capture, once the rings are empty: meanwhile the fastest burst fills a third of a ring's resting part. */
const LIVE_NAP_MS = 4
/**
 * The longest nap while pairs gather in the sink; it ends when they are due. Meanwhile the fastest burst does not fill a ring's
 * resting part. While none gather, a nap of this length would delay the next batch's first pair, and with it the whole batch.
 */
const GATHER_MS = 10
/**
 * Where PACE_BYTES or more arrived within the last PACE_MS, pairs come without pause, and batches are sent because they
 * are full or old. The naps then last until FULL_BYTES have arrived or a batch is due, but at most PACE_MS, whatever
 * each of them has brought: every wake-up costs as much as fifty pairs.
 */
const PACE_MS = 50
const PACE_BYTES = 256 * 1024
const FULL_BYTES = 1024 * 1024
/** The longest sleep: heartbeats continue, and pairs over their age are dropped. */
const MAX_SLEEP_MS = 750
/** Heartbeat while the sink closes. */
const BEAT_MS = 250
/** How long rings that their producers have not closed are read after COMMAND_STOP or a passed deadline. */
const GRACE_MS = 1000

export interface ShipperParts {
  readonly rings: readonly RingConsumer[]
  readonly queue: PairQueue
  readonly bell: Doorbell
  readonly control: Control
  readonly ledger: ShipLedger
  readonly status: ShipStatus
  readonly log: Log
  readonly sink: Sink
  /** Copies the pairs for readers outside of the pipeline; null: there is no tap. */
  readonly tap: Tap | null
  /** These five as in ShipWorkerData; without a limit, `limit` is Infinity. */
  readonly whenFull: 'wait' | 'drop'
  readonly limit: number
  readonly bufferBytes: number
  readonly maxAgeMs: number
  readonly shutdownTimeoutMs: number
  /** The output accepts no more pairs: `-c N` is reached, or its reader has closed it. */
  readonly onOutputEnded: () => void
}

/** How a run ended. `failure`: why the output failed; null: it did not. */
export type ShipperResult = { failure: string | null }

export class Shipper {
  readonly #parts: ShipperParts
  readonly #queue: PairQueue
  /** One per ring. */
  readonly #ringPairs: readonly RingPairs[]
  readonly #cpuTime: CpuTimeRecorder
  readonly #dropLog: DropLog
  /** Whether pairs are no longer shipped: those that still arrive are counted as dropped. */
  #discarding = false
  /** When the run ends even if a ring is still open. */
  #hardEndMs = Infinity
  #stopped = false
  #drainSinceMs: number | null = null
  #inputEndedMs: number | null = null
  #flushed = false
  /** Pairs dropped because the output did not accept them. */
  #lost = 0
  #paused = false
  #settled = 0
  #progressMs = 0
  /** When pairs that are read now may have arrived: since the last nap began. Null: there was no nap. */
  #arrivedMs: number | null = null
  /** Bytes read since `#pacedMs`, and how many were read per millisecond in the PACE_MS before it; 0: fewer than PACE_BYTES. */
  #pacedBytes = 0
  #pacedMs = 0
  #bytesPerMs = 0

  constructor(parts: ShipperParts) {
    this.#parts = parts
    this.#queue = parts.queue
    this.#ringPairs = parts.rings.map((ring) => new RingPairs(ring, parts.ledger.readCell))
    this.#cpuTime = new CpuTimeRecorder(parts.control)
    this.#dropLog = new DropLog(parts.log)
  }

  /** Runs until every ring is closed and empty and its pairs are shipped or dropped. Never rejects. */
  async run(): Promise<ShipperResult> {
    const { sink, control } = this.#parts
    for (;;) {
      const nowMs = shipClock()
      const bytesRead = this.#iterate(nowMs)
      if (this.#finished(nowMs)) break
      await this.#pause(this.#paused ? 0 : bytesRead, nowMs)
    }
    this.#dropLog.close()
    const { obstacle, end: ended } = sink
    const beating = setInterval(() => control.beat(), BEAT_MS)
    const isPatient = (): boolean => this.#waits && control.running
    await Promise.all([sink.close(isPatient), this.#parts.tap?.close()])
    clearInterval(beating)
    this.#publish(shipClock())
    return { failure: failureOf(ended, obstacle, this.#lost) ?? failureOf(sink.end, null, 0) }
  }

  /** One iteration between two of `run`'s, for an assembler on the same thread that waits for room in its ring. */
  step(): void {
    this.#iterate(shipClock())
  }

  /** @returns bytes read from the rings */
  #iterate(nowMs: number): number {
    const { control, sink } = this.#parts
    control.beat()
    this.#cpuTime.update(nowMs)
    this.#applyCommand(nowMs)
    const bytesRead = this.#readRings(nowMs)
    this.#parts.tap?.flush()
    if (!this.#discarding) this.#pumpSink(nowMs)
    if (this.#discarding) this.#discard()
    if (this.#inputEnded(nowMs) && !this.#flushed) {
      this.#flushed = true
      sink.flush(nowMs)
    }
    this.#publish(nowMs)
    return bytesRead
  }

  #applyCommand(nowMs: number): void {
    const { command } = this.#parts.control
    if (command === COMMAND_RUN) return
    if (this.#drainSinceMs === null) {
      this.#drainSinceMs = nowMs
      this.#hardEndMs = nowMs + this.#parts.shutdownTimeoutMs + GRACE_MS
    }
    if (command !== COMMAND_STOP || this.#stopped) return
    this.#stopped = true
    this.#discarding = true
    this.#hardEndMs = nowMs + GRACE_MS
  }

  #readRings(nowMs: number): number {
    const { rings, sink, bufferBytes } = this.#parts
    let bytesRead = 0
    this.#paused = false
    for (let slot = 0; slot < rings.length; slot += 1) {
      const full = this.#queue.byteCount + sink.byteCount >= bufferBytes
      this.#paused = full && this.#waits && !sink.down && !this.#discarding
      if (this.#paused) break
      bytesRead += this.#readRing(slot, nowMs)
    }
    return bytesRead
  }

  /** Pairs go from the ring to the sink while the queue is empty and the sink takes them, otherwise into the queue. */
  #readRing(slot: number, nowMs: number): number {
    const { rings, tap, ledger } = this.#parts
    const viewer = tap?.hasReaders === true ? tap : null
    const taken = viewer === null && !this.#discarding && this.#queue.pairs === 0 ? this.#takeFrom(slot, nowMs) : 0
    if (taken >= MAX_READ_BYTES) return taken
    const before = this.#queue.pairs
    const read = this.#queue.read(rings[slot], MAX_READ_BYTES - taken, this.#arrivedMs ?? nowMs, viewer)
    ledger.read(this.#queue.pairs - before)
    return taken + read
  }

  #takeFrom(slot: number, nowMs: number): number {
    const { sink } = this.#parts
    if (sink.take === undefined) return 0
    const pairs = this.#ringPairs[slot]
    pairs.begin(MAX_READ_BYTES, this.#arrivedMs ?? nowMs)
    sink.take(pairs, nowMs)
    return pairs.end()
  }

  #pumpSink(nowMs: number): void {
    const { sink, limit, ledger, onOutputEnded } = this.#parts
    sink.pump(this.#queue, nowMs)
    this.#enforceBounds(nowMs)
    this.#discarding = sink.end !== null || ledger.shippedPairs >= limit
    if (this.#discarding && sink.end?.kind !== 'failed') onOutputEnded()
  }

  /** Drops the oldest pairs first: those in the sink are older than those in the queue. */
  #enforceBounds(nowMs: number): void {
    const { sink, maxAgeMs, bufferBytes } = this.#parts
    this.#dropLog.check(nowMs)
    if (this.#waits && sink.awaitsReader) return
    this.#drop('maxAge', sink.dropOlder(maxAgeMs, nowMs) + this.#queue.dropOlder(maxAgeMs, nowMs), nowMs)
    if (this.#waits && !sink.down) return
    if (this.#queue.byteCount + sink.byteCount <= bufferBytes) return
    const fromSink = sink.dropOver(Math.max(0, bufferBytes - this.#queue.byteCount))
    const fromQueue = this.#queue.dropOver(Math.max(0, bufferBytes - sink.byteCount))
    this.#drop('bufferBytes', fromSink + fromQueue, nowMs)
  }

  #drop(reason: BoundReason, pairs: number, nowMs: number): void {
    if (pairs === 0) return
    this.#parts.ledger.dropped(reason, pairs)
    this.#lost += pairs
    this.#dropLog.dropped(reason, pairs, nowMs)
  }

  #discard(): void {
    const { sink, ledger } = this.#parts
    const pairs = sink.discard() + this.#queue.dropOver(0)
    ledger.dropped('shutdown', pairs)
    this.#lost += pairs
  }

  #inputEnded(nowMs: number): boolean {
    if (!this.#parts.rings.every((ring) => ring.finished)) return false
    this.#inputEndedMs ??= nowMs
    return true
  }

  /** True when the run is over. After a passed deadline, makes the next iteration discard the remaining pairs. */
  #finished(nowMs: number): boolean {
    const { sink, shutdownTimeoutMs } = this.#parts
    const held = this.#queue.pairs + sink.pairs
    const ended = this.#inputEndedMs !== null
    if (ended && held === 0) return true
    if (this.#discarding) return nowMs > this.#hardEndMs
    this.#noteProgress(held, nowMs)
    if (this.#waits && sink.awaitsReader && this.#drainSinceMs === null) return false
    const since = this.#drainSinceMs ?? (ended ? Math.max(this.#inputEndedMs ?? 0, this.#progressMs) : nowMs)
    if (nowMs - since > shutdownTimeoutMs) this.#giveUp(held)
    return false
  }

  #giveUp(held: number): void {
    this.#discarding = true
    const { log, sink } = this.#parts
    // Commands report the loss themselves, with the ledger.
    if (sink.obstacle === null)
      log.debug('the output did not accept the last pairs within shutdown.timeout', { pairs: held })
  }

  #noteProgress(held: number, nowMs: number): void {
    if (held === this.#settled) return
    this.#settled = held
    this.#progressMs = nowMs
  }

  /**
   * Busy: only yields to sockets and timers. After few bytes: sleeps briefly so that pairs accumulate, because a
   * wake-up for each few costs both threads more than the pairs do (measured). Idle: sleeps until there is a pair or a
   * command, or the sink has something due.
   */
  async #pause(bytesRead: number, nowMs: number): Promise<void> {
    const { bell, sink, control } = this.#parts
    const isLive = !this.#waits
    this.#arrivedMs = null
    this.#pacedBytes += bytesRead
    if (bytesRead >= BUSY_BYTES && !(isLive && this.#empty)) return new Promise((resolve) => setImmediate(resolve))
    const paceMs = isLive ? this.#paceMs(nowMs) : 0
    if (bytesRead > 0 || paceMs > 0) {
      this.#arrivedMs = nowMs
      const napMs = paceMs > 0 ? paceMs : isLive ? this.#liveNapMs(nowMs) : NAP_MS
      return new Promise((resolve) => setTimeout(resolve, napMs))
    }
    const sleepMs = Math.max(1, Math.min(MAX_SLEEP_MS, sink.nextDueMs - nowMs))
    const { command } = control
    await bell.waitAsync(sleepMs, () => control.command !== command || this.#hasNews())
  }

  /** How long the next nap in live capture is; 0: none, as pairs do not arrive without pause. */
  #paceMs(nowMs: number): number {
    const sinceMs = nowMs - this.#pacedMs
    if (sinceMs >= PACE_MS) {
      const enough = this.#pacedBytes * PACE_MS >= PACE_BYTES * sinceMs
      this.#bytesPerMs = enough ? this.#pacedBytes / sinceMs : 0
      this.#pacedBytes = 0
      this.#pacedMs = nowMs
    }
    if (this.#bytesPerMs === 0) return 0
    const { sink } = this.#parts
    const longestMs = Math.min(sink.gatherMs ?? GATHER_MS, PACE_MS, sink.nextDueMs - nowMs)
    return Math.max(LIVE_NAP_MS, Math.min(longestMs, Math.round(FULL_BYTES / this.#bytesPerMs)))
  }

  #liveNapMs(nowMs: number): number {
    const dueMs = Math.max(NAP_MS, this.#parts.sink.nextDueMs - nowMs)
    return dueMs <= GATHER_MS ? dueMs : LIVE_NAP_MS
  }

  #hasNews(): boolean {
    const { rings } = this.#parts
    if (!this.#paused && !this.#empty) return true
    return this.#inputEndedMs === null && rings.every((ring) => ring.finished)
  }

  /** Whether input waits for the output, as that of files does. */
  get #waits(): boolean {
    return this.#parts.whenFull === 'wait'
  }

  get #empty(): boolean {
    return this.#parts.rings.every((ring) => ring.empty)
  }

  #publish(nowMs: number): void {
    const { ledger, sink, status } = this.#parts
    ledger.queued = this.#queue.pairs + sink.pairs
    const queuedMs = this.#queue.pairs > 0 ? this.#queue.ageMs(nowMs) : 0
    const oldestMs = Math.max(0, queuedMs, nowMs - sink.oldestMs)
    status.publish(this.#queue.byteCount + sink.byteCount, oldestMs, sink.reachable)
  }
}

/** @param end of the sink; @param obstacle what it could not overcome; @param lost pairs that it did not accept */
function failureOf(end: SinkEnd | null, obstacle: string | null, lost: number): string | null {
  if (end?.kind === 'failed') return end.message
  return obstacle !== null && lost > 0 ? `${lost} pairs could not be written: ${obstacle}` : null
}
