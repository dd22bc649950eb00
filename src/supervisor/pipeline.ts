/**
 * One run of the pipeline: opens the input, starts the workers from the end of the stream to its beginning, watches them,
 * and drains them in stream order. Main thread.
 *
 *     capture worker × source ──frame rings──▶ assembler × N ──pair rings──▶ shipper
 *
 * Draining needs no protocol of its own: a capture worker that ends closes its rings, an assembler whose rings are closed
 * and empty closes its own, and the shipper flushes when all of those are empty.
 */
import type { AssembleTask } from '../assemble/worker-data.ts'
import { Control } from '../control.ts'
import { ASSEMBLE_COUNTERS, allocateCounters, CAPTURE_COUNTERS, SHIP_COUNTERS } from '../counters.ts'
import { errorText, InterceptorError } from '../errors.ts'
import { count, type Ledger, sumLedger } from '../ledger.ts'
import type { CaptureWorkerData, FromWorker } from '../messages.ts'
import { allocateRing } from '../ring/byte-ring.ts'
import { Doorbell } from '../ring/doorbell.ts'
import { OUTPUT_OPEN, type ShipWorkerData } from '../ship/worker-data.ts'
import { AssemblerPool } from './assembler-pool.ts'
import { type OpenInput, openInput } from './input.ts'
import type { Damage, Outcome, PipelineHandle, PipelineOptions } from './options.ts'
import { pause } from './pause.ts'
import { type Plan, planRun } from './plan.ts'
import { type WorkerEnd, WorkerThread } from './worker-thread.ts'

/** How often the supervisor looks at what shared memory says: output gone, progress. */
const LOOK_MS = 50
/** Pause before a crashed worker is started again. */
const RESTART_MS = 200
/** A worker that has not obeyed a stop by then is terminated. */
const OBEY_MS = 2_000

/** Starts a run. Nothing is thrown: what cannot be started is the outcome. */
export function startPipeline(options: PipelineOptions): PipelineHandle {
  const pipeline = new Pipeline(options)
  return { done: pipeline.run(), drain: () => pipeline.drain(), stop: () => pipeline.stop() }
}

/** Why a run failed. */
interface Failure {
  message: string
  exitCode: number
  hint?: string
}

class Pipeline {
  readonly #options: PipelineOptions
  readonly #damage: Damage[] = []
  readonly #captureCounters: Float64Array[] = []
  readonly #assembleCounters: Float64Array[] = []
  readonly #shipCounters = allocateCounters(SHIP_COUNTERS)
  readonly #captures: WorkerThread[] = []
  #assemblers: AssemblerPool | null = null
  #shipper: WorkerThread | null = null
  #failure: Failure | null = null
  #draining = false
  #stopping = false
  #shipperCrashed = false
  #bytes = 0
  #totalBytes: number | null = null

  constructor(options: PipelineOptions) {
    this.#options = options
  }

  async run(): Promise<Outcome> {
    let input: OpenInput | null = null
    try {
      input = await openInput(this.#options)
      await this.#work(input, planRun(this.#options, input.sources.length))
    } catch (error) {
      this.#fail(failureOf(error))
    } finally {
      input?.close()
    }
    return this.#outcome()
  }

  /** Takes no more input; what is there is finished in stream order. */
  drain(): void {
    this.#draining = true
    for (const capture of this.#captures) capture.drain()
  }

  /** Ends at once. */
  stop(): void {
    this.#stopping = true
    for (const capture of this.#captures) capture.stop()
    this.#assemblers?.stop()
    this.#shipper?.stop()
    setTimeout(() => this.#terminate(), OBEY_MS).unref()
  }

  #terminate(): void {
    for (const capture of this.#captures) void capture.terminate()
    this.#assemblers?.terminate()
    void this.#shipper?.terminate()
  }

  async #work({ sources, begin }: OpenInput, plan: Plan): Promise<void> {
    const { assemblers, budget } = plan
    const bells = Array.from({ length: assemblers }, () => Doorbell.allocate())
    const shipperBell = Doorbell.allocate()
    const captureBells = sources.map(() => Doorbell.allocate())
    const frameRings = sources.map(() => bells.map(() => allocateRing(budget.frameRingBytes)))
    const pairRings = bells.map(() => allocateRing(budget.pairRingBytes))
    const waits = plan.whenFull === 'wait'

    const shipped = this.#keepShipping(plan, {
      rings: pairRings,
      assemblerBells: bells.map((bell) => (waits ? bell : null)),
      ownBell: shipperBell,
    })
    await this.#shipper?.ready
    if (this.#failure !== null) return
    const tasks = bells.map((ownBell, slot): AssembleTask => {
      const counters = allocateCounters(ASSEMBLE_COUNTERS)
      this.#assembleCounters.push(counters)
      return {
        slot,
        rings: frameRings.map((rings) => rings[slot]),
        captureBells: captureBells.map((bell) => (waits ? bell : null)),
        ownBell,
        pairRing: pairRings[slot],
        shipperBell,
        control: Control.allocate(),
        counters,
        whenFull: plan.whenFull,
        options: plan.assemblerOptions,
        interfaces: [],
      }
    })
    this.#assemblers = new AssemblerPool(tasks, this.#options.log)
    if (!waits) await this.#assemblers.ready()
    const captured = sources.map((source, i) =>
      this.#keepCapturing({
        source,
        rings: frameRings[i],
        assemblerBells: bells,
        ownBell: captureBells[i],
        control: Control.allocate(),
        counters: this.#newCaptureCounters(),
        whenFull: plan.whenFull,
      }),
    )
    await Promise.all(this.#captures.map((capture) => capture.ready))
    begin()
    const looking = setInterval(() => this.#look(), LOOK_MS)
    try {
      await Promise.all(captured)
      await this.#assemblers.ended
      await shipped
    } finally {
      clearInterval(looking)
    }
  }

  #newCaptureCounters(): Float64Array {
    const counters = allocateCounters(CAPTURE_COUNTERS)
    this.#captureCounters.push(counters)
    return counters
  }

  /** Runs the shipper to its end; a crashed one is started again on the same rings. */
  async #keepShipping(plan: Plan, rings: Pick<ShipWorkerData, 'rings' | 'assemblerBells' | 'ownBell'>): Promise<void> {
    const { config, limit, log } = this.#options
    const workerData: ShipWorkerData = {
      ...rings,
      control: Control.allocate(),
      counters: this.#shipCounters,
      whenFull: plan.whenFull,
      limit,
      bufferBytes: config.ship.bufferBytes,
      maxAgeMs: config.ship.maxAge,
      shutdownTimeoutMs: config.shutdown.timeout,
      sink: plan.sink,
    }
    for (;;) {
      const shipper = new WorkerThread({
        role: 'ship',
        entry: '../ship/ship.worker.js',
        workerData,
        onMessage: (message) => this.#hear(message),
      })
      this.#shipper = shipper
      const end = await shipper.ended
      if (end.how === 'crashed' && plan.whenFull === 'drop' && !this.#stopping) {
        log.error('shipper failed and is started again', { error: end.message })
        this.#shipperCrashed = true
        await pause(RESTART_MS)
        continue
      }
      if (end.how === 'done') return
      this.#endedBadly(end)
      this.stop()
      return
    }
  }

  /** Runs a capture worker to its end; a crashed one is started again on the same rings. */
  async #keepCapturing(workerData: CaptureWorkerData): Promise<void> {
    for (;;) {
      const capture = new WorkerThread({
        role: 'capture',
        entry: '../capture/capture.worker.js',
        workerData,
        onMessage: (message) => this.#hear(message),
      })
      this.#captures.push(capture)
      if (this.#draining || this.#failure !== null) capture.drain()
      if (this.#stopping) capture.stop()
      const end = await capture.ended
      this.#captures.splice(this.#captures.indexOf(capture), 1)
      if (end.how !== 'crashed') {
        this.#endedBadly(end)
        return
      }
      this.#options.log.error('capture worker failed', { error: end.message })
      if (workerData.source.kind === 'file' || this.#stopping) {
        this.#endedBadly(end)
        this.stop()
        return
      }
      await pause(RESTART_MS)
    }
  }

  #hear(message: FromWorker): void {
    const { log } = this.#options
    switch (message.t) {
      case 'log':
        log.log(message.level, message.message, message.fields)
        break
      case 'damage':
        this.#damage.push({ path: message.path, offset: message.offset, reason: message.reason })
        break
      case 'progress':
        this.#bytes = message.bytes
        this.#totalBytes = message.totalBytes
        break
      case 'interfaceLost':
        log.warn('an interface is gone; capture goes on when it is back', {
          interface: message.name,
          reason: message.reason,
        })
        break
      case 'interfaceBack':
        log.info('an interface is back', { interface: message.name })
        break
      default:
        break
    }
  }

  /** What shared memory has to say. */
  #look(): void {
    if (!this.#draining && this.#shipper !== null && this.#shipper.control.state !== OUTPUT_OPEN) this.drain()
    const { onProgress } = this.#options
    if (onProgress === null) return
    onProgress({ bytes: this.#bytes, totalBytes: this.#totalBytes, pairs: count(this.#ledger(), 'pairs.kept') })
  }

  #endedBadly(end: WorkerEnd): void {
    if (end.how === 'failed') this.#fail(end)
    else if (end.how === 'crashed') this.#fail({ message: end.message, exitCode: 1 })
  }

  /** The first failure is the run's. */
  #fail(failure: Failure): void {
    this.#failure ??= failure
  }

  #ledger(): Ledger {
    return sumLedger([
      ...this.#captureCounters.map((values) => ({ layout: CAPTURE_COUNTERS, values })),
      ...this.#assembleCounters.map((values) => ({ layout: ASSEMBLE_COUNTERS, values })),
      { layout: SHIP_COUNTERS, values: this.#shipCounters },
    ])
  }

  /** Pairs that a crashed or stopped shipper had in hand or left in its rings, or a killed assembler had not published. */
  #settleShipping(): void {
    const crashed = this.#shipperCrashed || (this.#assemblers?.restarts ?? 0) > 0
    if (!this.#stopping && !crashed) return
    const ledger = this.#ledger()
    const lost = count(ledger, 'pairs.kept') - count(ledger, 'pairs.shipped') - count(ledger, 'pairs.dropped')
    const { index } = SHIP_COUNTERS
    this.#shipCounters[index.queued] = 0
    this.#shipCounters[this.#stopping ? index.droppedShutdown : index.droppedCrash] += lost
  }

  #outcome(): Outcome {
    this.#settleShipping()
    const ledger = this.#ledger()
    const damage = this.#damage
    if (this.#failure !== null) {
      const { message, exitCode, hint } = this.#failure
      const why = hint === undefined ? { message } : { message, hint }
      return { ledger, damage, exitCode: exitCode === 4 ? 4 : exitCode === 2 ? 2 : 1, ...why }
    }
    return { ledger, damage, exitCode: damage.length > 0 ? 3 : 0 }
  }
}

function failureOf(error: unknown): Failure {
  const message = errorText(error)
  if (!(error instanceof InterceptorError)) return { message, exitCode: 1 }
  return { message, exitCode: error.exitCode, ...(error.hint === null ? {} : { hint: error.hint }) }
}
