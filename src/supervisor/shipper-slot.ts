/** The shipper's slot. Main thread. */

import { countShipperLosses } from '../ledger/crash-losses.ts'
import { ShipStatus } from '../ship/status.ts'
import type { ShipWorkerData } from '../ship/worker-data.ts'
import { Control } from '../thread/control.ts'
import type { FromWorker } from '../thread/messages.ts'
import type { PipelineOptions } from './options.ts'
import type { Plan } from './plan.ts'
import { WorkerSlot } from './worker-slot.ts'
import { WorkerThread } from './worker-thread.ts'

export interface ShipperParts {
  plan: Plan
  options: PipelineOptions
  /** One ring and doorbell per assembler. */
  rings: SharedArrayBuffer[]
  assemblerBells: readonly SharedArrayBuffer[]
  ownBell: SharedArrayBuffer
  /** Laid out by SHIP_COUNTERS. */
  counters: Float64Array
  onMessage: (message: FromWorker) => void
}

export class ShipperSlot {
  readonly worker: WorkerSlot
  /** What the shipper reports of its buffer and its output. */
  readonly status: ShipStatus

  constructor({ plan, options, rings, assemblerBells, ownBell, counters, onMessage }: ShipperParts) {
    const { config, limit, log } = options
    const waits = plan.whenFull === 'wait'
    const control = Control.allocate()
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
    }
    this.status = new ShipStatus(status)
    this.worker = new WorkerSlot({
      role: 'ship',
      slot: 0,
      control,
      ownBell,
      launch: () => new WorkerThread({ role: 'ship', entry: '../ship/ship.worker.js', workerData, onMessage }),
      isRestartable: !waits,
      // Writing to a pipe may take as long as its reader likes.
      mayHang: !waits && plan.sink.kind !== 'stream',
      onCrash: () => countShipperLosses(counters),
      log,
    })
  }
}
