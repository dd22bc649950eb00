/** Shared by shipper tests: pairs as an assembler writes them, a real shipper thread, and the ledger's law. */
import assert from 'node:assert/strict'
import { after } from 'node:test'
import { Worker } from 'node:worker_threads'
import { threadOf } from '../../rig/root.ts'
import { allocateCounters, SHIP_COUNTERS } from '../../src/ledger/counters.ts'
import { countShipperLosses } from '../../src/ledger/crash-losses.ts'
import type { Pair } from '../../src/pair/pair.ts'
import { packPair } from '../../src/pair/unpack.ts'
import { allocateRing, FULL, RingProducer } from '../../src/ring/byte-ring.ts'
import { Doorbell } from '../../src/ring/doorbell.ts'
import { PAIR_FIELDS_BYTES } from '../../src/ring/layout.ts'
import { countLeftPairs } from '../../src/ship/left-pairs.ts'
import { ShipStatus } from '../../src/ship/status.ts'
import type { ShipWorkerData, SinkSpec } from '../../src/ship/worker-data.ts'
import { Control } from '../../src/thread/control.ts'
import type { FromWorker } from '../../src/thread/messages.ts'
import { HeldCollector } from './held-collector.ts'

const MESSAGE = { httpVersion: '1.1', bodyEncoding: 'bin', decoded: false, wireSize: 100 } as const

/** 2026-11-23T12:58:07.123456Z and one microsecond more for each pair. */
export const BASE_MICROS = 1795438687123456

/** @param number identifies the pair: it is in the id, the target and the time @param bodyBytes of the response */
export function makePair(number: number, bodyBytes = 20): Pair {
  const body = new TextEncoder().encode(`{"n":${number},"x":"${'y'.repeat(Math.max(0, bodyBytes - 20))}"}`)
  const micros = BASE_MICROS + number
  return {
    v: 1,
    id: number.toString(16).padStart(32, '0'),
    requestStartMicros: micros,
    requestEndMicros: micros,
    responseStartMicros: micros + 500,
    responseEndMicros: micros + 600,
    client: { address: '10.0.0.5', port: 51234, pod: null },
    server: { address: '10.0.0.9', port: 8080, pod: null },
    request: {
      ...MESSAGE,
      method: 'GET',
      target: `/orders/${number}`,
      headers: [['Host', 'shop']],
      body: new Uint8Array(0),
      bodySize: 0,
    },
    response: {
      ...MESSAGE,
      status: 200,
      reason: 'OK',
      headers: [['Content-Type', 'application/json']],
      body,
      bodySize: body.length,
    },
    capture: { node: 'n1', interface: 'eth0', vantage: 'file', mesh: null },
    flags: [],
  }
}

export interface RecordOptions {
  connection?: number
  server?: number
  bodyBytes?: number
}

export interface ShipperOptions {
  sink: SinkSpec
  /** Path of the tap's socket. */
  tap?: string
  rings?: number
  ringBytes?: number
  /** Changes each ring before the shipper starts, as an earlier one may have left it. */
  leave?: (ring: SharedArrayBuffer) => void
  limit?: number
  whenFull?: 'wait' | 'drop'
  bufferBytes?: number
  maxAgeMs?: number
  shutdownTimeoutMs?: number
}

/** A real ship worker and the producers of its rings. */
export class ShipperRun {
  readonly counters = allocateCounters(SHIP_COUNTERS)
  readonly #status = ShipStatus.allocate()
  /** State of the shipper's buffer and output. */
  readonly status = new ShipStatus(this.#status)
  readonly control: Control
  readonly messages: FromWorker[] = []
  worker!: Worker
  /** Pairs put into the rings: the assemblers' `pairs.kept`. */
  kept = 0
  readonly #producers: RingProducer[]
  readonly #bell: Doorbell
  readonly #workerData: ShipWorkerData
  readonly #held = new HeldCollector()
  #ended!: Promise<FromWorker>
  #ready!: Promise<void>
  #exited!: Promise<unknown>
  #running = false
  #replacing = false

  constructor(options: ShipperOptions) {
    const control = Control.allocate()
    const ownBell = Doorbell.allocate()
    this.control = new Control(control)
    this.#bell = new Doorbell(ownBell)
    const rings = Array.from({ length: options.rings ?? 1 }, () => allocateRing(options.ringBytes ?? 4 * 1024 * 1024))
    for (const ring of rings) options.leave?.(ring)
    this.#producers = rings.map((ring) => new RingProducer(ring, this.#bell))
    const workerData: ShipWorkerData = {
      rings,
      assemblerBells: rings.map(() => null),
      ownBell,
      control,
      counters: this.counters,
      status: this.#status,
      whenFull: options.whenFull ?? 'wait',
      limit: options.limit ?? null,
      bufferBytes: options.bufferBytes ?? 64 * 1024 * 1024,
      maxAgeMs: options.maxAgeMs ?? 300_000,
      shutdownTimeoutMs: options.shutdownTimeoutMs ?? 10_000,
      sink: options.sink,
      tap: options.tap ?? null,
      left: [],
    }
    this.#workerData = workerData
    this.#start()
  }

  /** Terminates the thread, as a crash does, and starts another one on the same rings. */
  async replace(): Promise<void> {
    this.#replacing = true
    await this.stop()
    countShipperLosses(this.counters, countLeftPairs(this.#held.left))
    this.#start()
    this.#replacing = false
    await this.#ready
  }

  /** Terminates the thread at any point. */
  async stop(): Promise<void> {
    this.#ended.catch(() => {})
    await this.worker.terminate()
    await this.#exited
  }

  #start(): void {
    const workerData: ShipWorkerData = { ...this.#workerData, left: this.#held.left }
    this.worker = new Worker(threadOf('ship'), { workerData })
    this.#running = true
    this.#exited = new Promise((resolve) => this.worker.once('exit', resolve))
    void this.#exited.then(() => {
      this.#running = false
    })
    let ready = (): void => {}
    this.#ready = new Promise((resolve) => {
      ready = resolve
    })
    this.#ended = new Promise((resolve, reject) => {
      this.worker.on('message', (message: FromWorker) => {
        this.messages.push(message)
        this.#held.post(message)
        if (message.t === 'ready') ready()
        if (message.t === 'done' || message.t === 'failed') resolve(message)
      })
      this.worker.on('error', reject)
      this.worker.on('exit', () => reject(new Error('the shipper ended without a word')))
    })
  }

  get ready(): Promise<void> {
    return this.#ready
  }

  /** Puts one pair into a ring, waiting for room. */
  async put(number: number, options: RecordOptions = {}, slot = 0): Promise<void> {
    await this.putBytes(packPair(makePair(number, options.bodyBytes)), BASE_MICROS + number, options, slot)
  }

  async putPair(pair: Pair): Promise<void> {
    await this.putBytes(packPair(pair), pair.requestStartMicros)
  }

  async putBytes(pair: Uint8Array, micros: number, options: RecordOptions = {}, slot = 0): Promise<void> {
    const ring = this.#producers[slot]
    let at = ring.tryClaim(PAIR_FIELDS_BYTES + pair.length)
    while (at === FULL) {
      if (!this.#running && !this.#replacing) throw new Error('the shipper has ended, and its ring is full')
      ring.flush()
      await new Promise((resolve) => setImmediate(resolve))
      at = ring.tryClaim(PAIR_FIELDS_BYTES + pair.length)
    }
    const word = at >> 2
    ring.words[word + 1] = options.connection ?? 1
    ring.doubles[(at >> 3) + 1] = micros
    ring.words[word + 4] = pair.length
    ring.words[word + 5] = PAIR_FIELDS_BYTES
    ring.words[word + 6] = options.server ?? 2
    ring.words[word + 7] = 0
    ring.bytes.set(pair, at + PAIR_FIELDS_BYTES)
    ring.commit()
    this.kept += 1
  }

  flush(): void {
    for (const ring of this.#producers) ring.flush()
  }

  /** Sends a command as the supervisor does. */
  command(command: number): void {
    this.control.command = command
    this.#bell.ring()
  }

  closeRings(): void {
    for (const ring of this.#producers) ring.close()
  }

  /** Ends the input, waits for the worker and checks the ledger. @returns its last message */
  async finish(): Promise<FromWorker> {
    this.closeRings()
    const last = await this.#ended
    await this.#exited
    this.assertLedger()
    return last
  }

  counter(name: keyof typeof SHIP_COUNTERS.index): number {
    return this.counters[SHIP_COUNTERS.index[name]]
  }

  get dropped(): number {
    const reasons = [
      'droppedMaxAge',
      'droppedBufferBytes',
      'droppedRejected',
      'droppedShutdown',
      'droppedCrash',
    ] as const
    return reasons.reduce((sum, reason) => sum + this.counter(reason), 0)
  }

  get logs(): string[] {
    return this.messages.flatMap((message) => (message.t === 'log' ? [message.message] : []))
  }

  /** pairs.kept = shipped + Σ dropped, nothing queued. */
  assertLedger(): void {
    assert.equal(this.counter('queued'), 0, 'pairs.queued after a run')
    assert.equal(this.counter('shipped') + this.dropped, this.kept, 'pairs.kept = shipped + Σ dropped')
  }
}

/** A shipper thread that is stopped when the current test ends. */
export function startShipper(options: ShipperOptions): ShipperRun {
  const run = new ShipperRun(options)
  after(() => run.stop())
  return run
}

/** Polls until `condition` holds; throws after `timeoutMs`. */
export async function until(what: string, condition: () => boolean, timeoutMs = 20_000): Promise<void> {
  const end = Date.now() + timeoutMs
  while (!condition()) {
    if (Date.now() > end) throw new Error(`timed out waiting until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
