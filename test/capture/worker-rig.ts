/** A real capture worker on files, with its rings emptied after it has ended. */
import { once } from 'node:events'
import { after } from 'node:test'
import { Worker } from 'node:worker_threads'
import { threadOf } from '../../rig/root.ts'
import type { CaptureWorkerData } from '../../src/capture/worker-data.ts'
import { allocateCounters, CAPTURE_COUNTERS } from '../../src/ledger/counters.ts'
import { TUNNEL_NAMES } from '../../src/net/tunnels.ts'
import { allocateRing, RingConsumer } from '../../src/ring/byte-ring.ts'
import { Doorbell } from '../../src/ring/doorbell.ts'
import { FRAME, INTERFACE } from '../../src/ring/layout.ts'
import { Control } from '../../src/thread/control.ts'
import type { FromWorker } from '../../src/thread/messages.ts'

export interface WorkerRun {
  messages: FromWorker[]
  /** Packets from their IP headers on, in ring order. */
  packets: Uint8Array[]
  micros: number[]
  interfaces: string[]
  count(path: string): number
}

export class WorkerRig {
  readonly control: Control
  readonly messages: FromWorker[] = []
  readonly #data: CaptureWorkerData
  readonly #worker: Worker
  readonly #exited: Promise<unknown>

  /**
   * The rings are large enough for everything that the tests read. The thread is stopped when the current test ends.
   */
  constructor(paths: string[], options: { follow?: boolean; rings?: number; filter?: string } = {}) {
    const { follow = false, rings = 1, filter = '' } = options
    this.#data = {
      source: { kind: 'file', paths, follow, filter },
      rings: Array.from({ length: rings }, () => allocateRing(16 << 20)),
      assemblerBells: Array.from({ length: rings }, () => Doorbell.allocate()),
      ownBell: Doorbell.allocate(),
      control: Control.allocate(),
      counters: allocateCounters(CAPTURE_COUNTERS),
      whenFull: 'wait',
      tunnels: TUNNEL_NAMES,
      secret: 0,
      pairRings: [],
      warmUpShare: 0,
      marks: [],
    }
    this.control = new Control(this.#data.control)
    this.#worker = new Worker(threadOf('capture'), { workerData: this.#data })
    this.#worker.on('message', (message: FromWorker) => this.messages.push(message))
    this.#exited = once(this.#worker, 'exit')
    after(() => this.#worker.terminate())
  }

  /** Sends a command as the supervisor does. */
  command(value: number): void {
    this.control.command = value
    new Doorbell(this.#data.ownBell).ring()
  }

  count(path: string): number {
    return this.#data.counters[CAPTURE_COUNTERS.paths.indexOf(path)]
  }

  /** Waits for the end of the thread, then reads what it left in the rings. */
  async end(): Promise<WorkerRun> {
    await this.#exited
    const run: WorkerRun = {
      messages: this.messages,
      packets: [],
      micros: [],
      interfaces: [],
      count: (path) => this.count(path),
    }
    for (const ring of this.#data.rings) takeAll(ring, run)
    return run
  }
}

/** Runs a worker to its end. */
export const readFiles = (
  paths: string[],
  options: { follow?: boolean; rings?: number; filter?: string } = {},
): Promise<WorkerRun> => new WorkerRig(paths, options).end()

function takeAll(ring: SharedArrayBuffer, run: WorkerRun): void {
  const consumer = new RingConsumer(ring, null)
  const block = new Uint8Array(16 << 20)
  const view = new DataView(block.buffer)
  while (!consumer.finished) {
    const count = consumer.peek(block, block.length)
    if (count === 0) throw new Error('the worker left a ring open')
    for (let at = 0; at < count; at += Math.abs(view.getInt32(at, true))) {
      if (view.getInt32(at, true) < 0) continue
      const tag = view.getUint32(at + 4, true)
      if (tag === FRAME) {
        run.packets.push(block.slice(at + view.getUint16(at + 24, true), at + view.getUint32(at + 28, true)))
        run.micros.push(view.getFloat64(at + 8, true))
      } else if (tag === INTERFACE) {
        const json = new TextDecoder().decode(block.subarray(at + 24, at + 24 + view.getInt32(at + 16, true)))
        run.interfaces.push((JSON.parse(json) as { name: string }).name)
      }
    }
    consumer.release(count)
  }
}
