/** The shipper's slot. Main thread. */

import { countShipperLosses } from '../../ledger/crash-losses.ts'
import { Doorbell } from '../../ring/doorbell.ts'
import { countLeftPairs } from '../../ship/left-pairs.ts'
import { ShipStatus } from '../../ship/status.ts'
import type { ShipWorkerData, SinkSpec } from '../../ship/worker-data.ts'
import { discardPages } from '../../sys/release-memory.ts'
import { Control } from '../../thread/control.ts'
import type { FromWorker } from '../../thread/messages.ts'
import type { PipelineOptions } from '../options.ts'
import type { Plan } from '../plan.ts'
import type { Stages } from './stages.ts'
import { WorkerSlot } from './worker-slot.ts'
import type { WorkerRun } from './worker-thread.ts'

export interface ShipperSlotParts {
  plan: Plan
  options: PipelineOptions
  /** One ring and doorbell per assembler. */
  rings: SharedArrayBuffer[]
  assemblerBells: readonly SharedArrayBuffer[]
  ownBell: SharedArrayBuffer
  /** The shipper's counters, in the layout of SHIP_COUNTERS. */
  counters: Float64Array
  onMessage: (message: FromWorker) => void
  stages: Stages
}

export class ShipperSlot {
  readonly worker: WorkerSlot
  /** What the shipper reports of its buffer and its output. */
  readonly status: ShipStatus

  /** Memory in which the shipper holds pairs, by number. It outlives the shipper (ship/held-memory.ts). */
  readonly #held = new Map<number, SharedArrayBuffer>()
  readonly #onMessage: (message: FromWorker) => void
  readonly #stages: Stages
  readonly #sink: SinkSpec
  readonly #onPairs: PipelineOptions['onPairs']

  constructor({ plan, options, rings, assemblerBells, ownBell, counters, onMessage, stages }: ShipperSlotParts) {
    const { config, limit, log, onPairs } = options
    this.#onMessage = onMessage
    this.#stages = stages
    this.#sink = plan.sink
    this.#onPairs = onPairs
    const waits = plan.whenFull === 'wait'
    const control = Control.allocate()
    const bell = new Doorbell(ownBell)
    const status = ShipStatus.allocate()
    const workerData: ShipWorkerData = {
      rings,
      assemblerBells: assemblerBells.map((bell) => (waits ? bell : null)),
      ownBell,
      control,
      counters,
      status,
      whenFull: plan.whenFull,
      limit,
      bufferBytes: config.ship.bufferBytes,
      maxAgeMs: config.ship.maxAge,
      shutdownTimeoutMs: config.shutdown.timeout,
      sink: plan.sink,
      tap: options.tap ?? null,
      left: [],
    }
    this.status = new ShipStatus(status)
    this.worker = new WorkerSlot({
      role: 'ship',
      slot: 0,
      control,
      threadMates: [],
      wake: () => bell.ring(),
      launch: () => this.#launch({ ...workerData, left: [...this.#held.values()] }),
      isRestartable: !waits,
      // A write to a pipe may block for as long as its reader does not read.
      mayHang: !waits && plan.sink.kind !== 'stream',
      onCrash: () => countShipperLosses(counters, countLeftPairs(this.#held.values())),
      log,
    })
  }

  #launch(workerData: ShipWorkerData): WorkerRun {
    return this.#stages.ship(workerData, (message) => this.#receive(message))
  }

  /** Called for all messages of a thread before its end is reported. */
  #receive(message: FromWorker): void {
    if (message.t === 'held') this.#held.set(message.id, message.memory)
    else if (message.t === 'released') this.#release(message.id, message.inUse)
    else if (message.t === 'pairs') this.#consume(message.bytes, message.ends)
    else this.#onMessage(message)
  }

  #consume(bytes: Uint8Array, ends: readonly number[]): void {
    this.#onPairs?.(bytes, ends)
    if (this.#sink.kind === 'post') Atomics.add(new Int32Array(this.#sink.consumed), 0, bytes.length)
  }

  /** Returns the pages at once: V8 does not count shared memory, so garbage collection may come late. */
  #release(id: number, inUse: boolean): void {
    const memory = this.#held.get(id)
    this.#held.delete(id)
    if (memory !== undefined && !inUse && process.platform === 'linux') discardPages(new Uint8Array(memory))
  }
}
