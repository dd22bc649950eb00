/**
 * The last stage: takes pairs from the pair rings into a bounded buffer and moves them on to one sink.
 *
 * Thread: the shipper's. One loop, one turn at a time: obey, take in, move on, keep the bounds. Law, exact after every
 * turn: pairs taken from the rings = shipped + Σ dropped + queued.
 */

import type { DropReason, ShipLedger } from '../ledger/ship-ledger.ts'
import type { Log } from '../log/folded-log.ts'
import type { RingConsumer } from '../ring/byte-ring.ts'
import type { Doorbell } from '../ring/doorbell.ts'
import { COMMAND_RUN, COMMAND_STOP, type Control } from '../thread/control.ts'
import { CpuTimeRecorder } from '../thread/cpu-time.ts'
import { PairQueue } from './pair-queue.ts'
import { shipClock } from './ship-clock.ts'
import type { Sink } from './sink.ts'
import type { ShipStatus } from './status.ts'
import { OUTPUT_CLOSED, OUTPUT_ENOUGH } from './worker-data.ts'

/** Taken from each ring per turn, so that none starves the others or the event loop. */
const TURN_BYTES = 1024 * 1024
/** A turn that took less is followed by a nap. */
const BUSY_BYTES = 256 * 1024
const NAP_MS = 1
/** The longest sleep: the heartbeat must go on, and ages are looked at. */
const MAX_SLEEP_MS = 500
/** Heartbeat while the sink closes. */
const BEAT_MS = 250
/** After COMMAND_STOP or a passed deadline, how long we go on emptying rings whose producers have not closed them. */
const GRACE_MS = 1000

export interface ShipperParts {
  readonly rings: readonly RingConsumer[]
  readonly bell: Doorbell
  readonly control: Control
  readonly ledger: ShipLedger
  readonly status: ShipStatus
  readonly log: Log
  readonly sink: Sink
  readonly whenFull: 'wait' | 'drop'
  readonly limit: number
  readonly bufferBytes: number
  readonly maxAgeMs: number
  readonly shutdownTimeoutMs: number
}

/** How a run ended: null when all is well, else why the output failed. */
export type ShipperResult = { failure: string | null }

export class Shipper {
  readonly #parts: ShipperParts
  readonly #queue = new PairQueue()
  readonly #cpuTime: CpuTimeRecorder
  /** Set once nothing may be shipped any more: all that still comes is counted as dropped. */
  #discarding = false
  /** When the run ends even if a ring is still open. */
  #hardEndMs = Infinity
  #stopped = false
  #drainSinceMs: number | null = null
  #inputEndedMs: number | null = null
  #flushed = false
  #paused = false
  #settled = 0
  #progressMs = 0

  constructor(parts: ShipperParts) {
    this.#parts = parts
    this.#cpuTime = new CpuTimeRecorder(parts.control)
  }

  /** Runs until every ring is closed and empty and its pairs are shipped or dropped. Never rejects. */
  async run(): Promise<ShipperResult> {
    const { sink, control } = this.#parts
    for (;;) {
      const nowMs = shipClock()
      const taken = this.#turn(nowMs)
      if (this.#finished(nowMs)) break
      await this.#pause(this.#paused ? 0 : taken, nowMs)
    }
    const beating = setInterval(() => control.beat(), BEAT_MS)
    await sink.close()
    clearInterval(beating)
    this.#publish(shipClock())
    return { failure: sink.end?.kind === 'failed' ? sink.end.message : null }
  }

  #turn(nowMs: number): number {
    const { control, sink } = this.#parts
    control.beat()
    this.#cpuTime.update(nowMs)
    this.#obey(nowMs)
    const taken = this.#intake(nowMs)
    if (!this.#discarding) this.#moveOn(nowMs)
    if (this.#discarding) this.#discard()
    if (this.#inputEnded(nowMs) && !this.#flushed) {
      this.#flushed = true
      sink.flush(nowMs)
    }
    this.#publish(nowMs)
    return taken
  }

  #obey(nowMs: number): void {
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

  #intake(nowMs: number): number {
    const { rings, sink, whenFull, bufferBytes, ledger } = this.#parts
    let taken = 0
    this.#paused = false
    for (const ring of rings) {
      const full = this.#queue.byteCount + sink.byteCount >= bufferBytes
      this.#paused = full && whenFull === 'wait' && !sink.away && !this.#discarding
      if (this.#paused) break
      const before = this.#queue.pairs
      taken += this.#queue.take(ring, TURN_BYTES, nowMs)
      ledger.read(this.#queue.pairs - before)
    }
    return taken
  }

  #moveOn(nowMs: number): void {
    const { sink, limit, ledger, control } = this.#parts
    sink.pump(this.#queue, nowMs)
    this.#keepBounds(nowMs)
    if (sink.end !== null) {
      this.#discarding = true
      if (sink.end.kind === 'closed') control.state = OUTPUT_CLOSED
    } else if (ledger.shippedPairs >= limit) {
      this.#discarding = true
      control.state = OUTPUT_ENOUGH
    }
  }

  /** Oldest first, and what the sink holds is older than what waits in the queue. */
  #keepBounds(nowMs: number): void {
    const { sink, maxAgeMs, bufferBytes, whenFull } = this.#parts
    this.#drop('maxAge', sink.dropOlder(maxAgeMs, nowMs) + this.#queue.dropOlder(maxAgeMs, nowMs))
    if (whenFull === 'wait' && !sink.away) return
    if (this.#queue.byteCount + sink.byteCount <= bufferBytes) return
    const fromSink = sink.dropOver(Math.max(0, bufferBytes - this.#queue.byteCount))
    const fromQueue = this.#queue.dropOver(Math.max(0, bufferBytes - sink.byteCount))
    this.#drop('bufferBytes', fromSink + fromQueue)
  }

  #drop(reason: DropReason, pairs: number): void {
    if (pairs === 0) return
    this.#parts.ledger.dropped(reason, pairs)
    const bound = reason === 'maxAge' ? 'older than ship.maxAge' : 'over ship.bufferBytes'
    this.#parts.log.warn(`dropping the oldest pairs: ${bound}`, { pairs })
  }

  #discard(): void {
    const { sink, ledger } = this.#parts
    ledger.dropped('shutdown', sink.discard() + this.#queue.dropOver(0))
  }

  #inputEnded(nowMs: number): boolean {
    if (!this.#parts.rings.every((ring) => ring.finished)) return false
    this.#inputEndedMs ??= nowMs
    return true
  }

  /** True when the run is over. Notices a passed deadline: the next turn discards what is left. */
  #finished(nowMs: number): boolean {
    const { sink, shutdownTimeoutMs } = this.#parts
    const held = this.#queue.pairs + sink.pairs
    const ended = this.#inputEndedMs !== null
    if (ended && held === 0) return true
    if (this.#discarding) return nowMs > this.#hardEndMs
    this.#noteProgress(held, nowMs)
    const since = this.#drainSinceMs ?? (ended ? Math.max(this.#inputEndedMs ?? 0, this.#progressMs) : nowMs)
    if (nowMs - since > shutdownTimeoutMs) this.#giveUp(held)
    return false
  }

  #giveUp(held: number): void {
    this.#discarding = true
    this.#parts.log.warn('the output did not take the last pairs within shutdown.timeout', { pairs: held })
  }

  #noteProgress(held: number, nowMs: number): void {
    if (held === this.#settled) return
    this.#settled = held
    this.#progressMs = nowMs
  }

  /**
   * Busy: lets sockets and timers have their turn. After a small turn: lets pairs gather, because being woken for each
   * few costs the assembler and us more than they do (measured). Idle: sleeps until a pair, a command or something due.
   */
  async #pause(taken: number, nowMs: number): Promise<void> {
    const { bell, sink, control } = this.#parts
    if (taken >= BUSY_BYTES) return new Promise((resolve) => setImmediate(resolve))
    if (taken > 0) return new Promise((resolve) => setTimeout(resolve, NAP_MS))
    const sleepMs = Math.max(1, Math.min(MAX_SLEEP_MS, sink.nextDueMs - nowMs))
    const { command } = control
    await bell.waitAsync(sleepMs, () => control.command !== command || this.#hasNews())
  }

  #hasNews(): boolean {
    const { rings } = this.#parts
    if (!this.#paused && rings.some((ring) => !ring.empty)) return true
    return this.#inputEndedMs === null && rings.every((ring) => ring.finished)
  }

  #publish(nowMs: number): void {
    const { ledger, sink, status } = this.#parts
    ledger.queued = this.#queue.pairs + sink.pairs
    const queuedMs = this.#queue.pairs > 0 ? this.#queue.ageMs(nowMs) : 0
    const oldestMs = Math.max(0, queuedMs, nowMs - sink.oldestMs)
    status.publish(this.#queue.byteCount + sink.byteCount, oldestMs, sink.reachable)
  }
}
