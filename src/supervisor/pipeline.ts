/**
 * One run of the pipeline: opens the input, starts the workers from the end of the stream to its beginning, watches them,
 * and drains them in stream order. Main thread.
 *
 *     capture worker × slot ──frame rings──▶ assembler × N ──pair rings──▶ shipper
 *
 * Draining needs no protocol of its own: a capture worker that ends closes its rings, an assembler whose rings are closed
 * and empty closes its own, and the shipper flushes when all of those are empty.
 */
import type { CaptureTarget } from '../capture-target.ts'
import { Control } from '../control.ts'
import { ASSEMBLE_COUNTERS, allocateCounters, SHIP_COUNTERS } from '../counters.ts'
import { errorText, InterceptorError } from '../errors.ts'
import { type CounterBlock, count, type Ledger, sumLedger } from '../ledger.ts'
import type { FromWorker, ToAssembler, ViewPolicy } from '../messages.ts'
import type { Observation } from '../observation.ts'
import { allocateRing } from '../ring/byte-ring.ts'
import { Doorbell } from '../ring/doorbell.ts'
import { ShipStatus } from '../ship/status.ts'
import { OUTPUT_OPEN, type ShipWorkerData } from '../ship/worker-data.ts'
import { AssemblerPool } from './assembler-pool.ts'
import { AssemblerState } from './assembler-state.ts'
import { CaptureSlot } from './capture-slot.ts'
import { deferred } from './deferred.ts'
import { type OpenInput, openInput, type SocketInput } from './input.ts'
import { observe } from './observe.ts'
import type { AddResult, Damage, Outcome, PipelineOptions, TargetPipeline } from './options.ts'
import { type Plan, planRun } from './plan.ts'
import type { TargetSet } from './target-set.ts'
import { WorkerSlot } from './worker-slot.ts'
import type { WorkerEnd } from './worker-thread.ts'

/** How often the supervisor looks at what shared memory says: output gone, progress, heartbeats. */
const LOOK_MS = 50
/** A worker that has not obeyed a stop by then is terminated. */
const OBEY_MS = 2_000

/** Starts a run. Nothing is thrown: what cannot be started is the outcome. */
export function startPipeline(options: PipelineOptions): TargetPipeline {
  return new Pipeline(options)
}

/** Why a run failed. */
interface Failure {
  message: string
  exitCode: number
  hint?: string
}

class Pipeline implements TargetPipeline {
  readonly done: Promise<Outcome>
  readonly #options: PipelineOptions
  readonly #damage: Damage[] = []
  readonly #assembleBlocks: CounterBlock[] = []
  readonly #shipCounters = allocateCounters(SHIP_COUNTERS)
  readonly #shipStatus = ShipStatus.allocate()
  readonly #state: AssemblerState
  /** Resolves with the targets once they can be captured; with null when that will not be. */
  readonly #capturing = deferred<TargetSet | null>()
  #captures: CaptureSlot[] = []
  #targets: TargetSet | null = null
  #assemblers: AssemblerPool | null = null
  #shipper: WorkerSlot | null = null
  #pairRings: SharedArrayBuffer[] = []
  #failure: Failure | null = null
  #draining = false
  #stopping = false
  #bytes = 0
  #totalBytes: number | null = null

  constructor(options: PipelineOptions) {
    this.#options = options
    this.#state = new AssemblerState(options.config)
    this.done = this.#run()
  }

  get ledger(): Ledger {
    const interfaces = this.#targets?.observe().map(({ block }) => block) ?? []
    return sumLedger([...this.#blocks(), ...interfaces])
  }

  observe(): Observation {
    return observe({
      blocks: this.#blocks(),
      targets: this.#targets,
      captures: this.#captures,
      assemblers: this.#assemblers,
      shipper: this.#shipper,
      pairRings: this.#pairRings,
      status: new ShipStatus(this.#shipStatus),
      bufferBytes: this.#options.config.ship.bufferBytes,
    })
  }

  async add(target: CaptureTarget): Promise<AddResult> {
    const targets = await this.#capturing.promise
    if (targets === null || this.#draining) return { failed: 'the run is ending', reason: 'ended', hint: null }
    return targets.add(target)
  }

  update(target: CaptureTarget): void {
    this.#targets?.update(target)
  }

  async remove(key: string): Promise<void> {
    await (await this.#capturing.promise)?.remove(key)
  }

  setAddresses(entries: Parameters<TargetPipeline['setAddresses']>[0]): void {
    this.#tell({ t: 'addresses', entries })
  }

  setFilter(filter: PipelineOptions['config']['filter']): void {
    this.#tell({ t: 'filter', filter })
  }

  setPolicy(policy: ViewPolicy): void {
    this.#tell({ t: 'policy', policy })
  }

  drain(): void {
    this.#draining = true
    this.#capturing.resolve(null)
    for (const capture of this.#captures) capture.drain()
  }

  stop(): void {
    this.#stopping = true
    this.#capturing.resolve(null)
    for (const capture of this.#captures) capture.stop()
    this.#assemblers?.stop()
    this.#shipper?.stop()
    setTimeout(() => this.#terminate(), OBEY_MS).unref()
  }

  #terminate(): void {
    for (const { worker } of this.#captures) worker.terminate()
    this.#assemblers?.terminate()
    this.#shipper?.terminate()
  }

  async #run(): Promise<Outcome> {
    let input: OpenInput | null = null
    try {
      input = await openInput(this.#options)
      await this.#work(input, planRun(this.#options, interfacesOf(input)))
    } catch (error) {
      this.#fail(failureOf(error))
    } finally {
      this.#capturing.resolve(null)
      await this.#close(input)
    }
    return this.#outcome()
  }

  async #close(input: OpenInput | null): Promise<void> {
    await this.#targets?.end()
    if (input?.kind === 'sockets') await Promise.all(input.opened.map(({ socket }) => input.sockets.close(socket)))
  }

  async #work(input: OpenInput, plan: Plan): Promise<void> {
    const { assemblers, budget } = plan
    const waits = plan.whenFull === 'wait'
    const bells = Array.from({ length: assemblers }, () => Doorbell.allocate())
    const shipperBell = Doorbell.allocate()
    this.#pairRings = bells.map(() => allocateRing(budget.pairRingBytes))
    const captures = Array.from({ length: plan.captures }, (_, slot) => this.#captureSlot(slot, plan, bells, input))
    const shipped = this.#ship(plan, shipperBell, bells)
    await this.#shipper?.start()
    if (this.#failure !== null) return
    this.#assemblers = new AssemblerPool(
      bells.map((ownBell, slot) => ({
        slot,
        rings: captures.map(({ rings }) => rings[slot]),
        captureBells: captures.map(({ bell }) => (waits ? bell : null)),
        ownBell,
        pairRing: this.#pairRings[slot],
        shipperBell,
        control: Control.allocate(),
        counters: this.#newAssembleBlock(),
        whenFull: plan.whenFull,
        options: plan.assemblerOptions,
      })),
      this.#state,
      this.#options.log,
    )
    if (!waits) await this.#assemblers.ready()
    this.#captures = captures
    const captured = captures.map((capture) => this.#untilCaptured(capture))
    const looking = setInterval(() => this.#look(), LOOK_MS)
    try {
      await this.#capture(input)
      await Promise.all(captured)
      await this.#assemblers.ended
      await shipped
    } finally {
      clearInterval(looking)
    }
  }

  #captureSlot(slot: number, plan: Plan, assemblerBells: SharedArrayBuffer[], input: OpenInput): CaptureSlot {
    return new CaptureSlot({
      slot,
      frameRingBytes: plan.budget.frameRingBytes,
      assemblerBells,
      whenFull: plan.whenFull,
      survives: input.kind === 'sockets' || input.source.kind === 'cap',
      onMessage: (message) => this.#hear(message),
      log: this.#options.log,
    })
  }

  #newAssembleBlock(): Float64Array {
    const values = allocateCounters(ASSEMBLE_COUNTERS)
    this.#assembleBlocks.push({ layout: ASSEMBLE_COUNTERS, values })
    return values
  }

  /** Lets frames come: from here on, everything behind the capture workers is ready. */
  async #capture(input: OpenInput): Promise<void> {
    if (this.#draining || this.#stopping) return
    if (input.kind === 'sockets') {
      await this.#captureTargets(input)
      return
    }
    input.interfaces.forEach((info, id) => {
      this.#tell({ t: 'interface', id, info })
    })
    const [capture] = this.#captures
    capture.source = () => input.source
    await capture.worker.start()
  }

  async #captureTargets({ sockets, opened }: SocketInput): Promise<void> {
    const { TargetSet } = await import('./target-set.ts')
    const { ownNetns } = await import('../sys/netns.ts')
    this.#targets = new TargetSet({
      sockets,
      slots: this.#captures,
      announce: (id, info) => this.#tell({ t: 'interface', id, info }),
      ownNetns: ownNetns(),
      log: this.#options.log,
    })
    await this.#targets.adopt(opened)
    this.#capturing.resolve(this.#targets)
  }

  #tell(message: ToAssembler): void {
    this.#state.apply(message)
    this.#assemblers?.post(message)
  }

  /** A capture worker's slot, to its end. */
  async #untilCaptured(capture: CaptureSlot): Promise<void> {
    if (this.#draining) capture.drain()
    if (this.#stopping) capture.stop()
    const end = await capture.worker.ended
    this.#endedBadly(end)
    if (end.how === 'failed') this.drain()
    else if (end.how === 'crashed') this.stop()
  }

  /** The shipper, to its end. */
  async #ship(plan: Plan, ownBell: SharedArrayBuffer, bells: readonly SharedArrayBuffer[]): Promise<void> {
    const { config, limit, log } = this.#options
    const control = Control.allocate()
    const workerData: ShipWorkerData = {
      rings: this.#pairRings,
      assemblerBells: bells.map((bell) => (plan.whenFull === 'wait' ? bell : null)),
      ownBell,
      control,
      counters: this.#shipCounters,
      status: this.#shipStatus,
      whenFull: plan.whenFull,
      limit,
      bufferBytes: config.ship.bufferBytes,
      maxAgeMs: config.ship.maxAge,
      shutdownTimeoutMs: config.shutdown.timeout,
      sink: plan.sink,
    }
    this.#shipper = new WorkerSlot({
      role: 'ship',
      slot: 0,
      entry: '../ship/ship.worker.js',
      control,
      workerData: () => workerData,
      survives: plan.whenFull === 'drop',
      onMessage: (message) => this.#hear(message),
      onCrash: () => {},
      log,
    })
    const end = await this.#shipper.ended
    if (end.how === 'done') return
    this.#endedBadly(end)
    this.stop()
  }

  #hear(message: FromWorker): void {
    const { log } = this.#options
    this.#targets?.hear(message)
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
    const now = performance.now()
    for (const { worker } of this.#captures) worker.observe(now)
    this.#shipper?.observe(now)
    this.#assemblers?.observe(now)
    if (!this.#draining && this.#shipper !== null && this.#shipper.control.state !== OUTPUT_OPEN) this.drain()
    const { onProgress } = this.#options
    if (onProgress === null) return
    onProgress({ bytes: this.#bytes, totalBytes: this.#totalBytes, pairs: count(this.ledger, 'pairs.kept') })
  }

  #endedBadly(end: WorkerEnd): void {
    if (end.how === 'failed') this.#fail(end)
    else if (end.how === 'crashed') this.#fail({ message: end.message, exitCode: 1 })
  }

  /** The first failure is the run's. */
  #fail(failure: Failure): void {
    this.#failure ??= failure
  }

  /** All but those of interfaces that are being captured. */
  #blocks(): CounterBlock[] {
    return [
      ...this.#captures.flatMap(({ blocks }) => blocks),
      ...(this.#targets === null ? [] : [this.#targets.block]),
      ...this.#assembleBlocks,
      { layout: SHIP_COUNTERS, values: this.#shipCounters },
    ]
  }

  /** Pairs that a crashed or stopped shipper had in hand or left in its rings, or a killed assembler had not published. */
  #settleShipping(): void {
    const crashed = (this.#shipper?.restarts ?? 0) > 0 || (this.#assemblers?.restarts ?? 0) > 0
    if (!this.#stopping && !crashed) return
    const ledger = this.ledger
    const lost = count(ledger, 'pairs.kept') - count(ledger, 'pairs.shipped') - count(ledger, 'pairs.dropped')
    const { index } = SHIP_COUNTERS
    this.#shipCounters[index.queued] = 0
    this.#shipCounters[this.#stopping ? index.droppedShutdown : index.droppedCrash] += lost
  }

  #outcome(): Outcome {
    this.#settleShipping()
    const { ledger } = this
    const damage = this.#damage
    if (this.#failure !== null) {
      const { message, exitCode, hint } = this.#failure
      const why = hint === undefined ? { message } : { message, hint }
      return { ledger, damage, exitCode: exitCode === 4 ? 4 : exitCode === 2 ? 2 : 1, ...why }
    }
    return { ledger, damage, exitCode: damage.length > 0 ? 3 : 0 }
  }
}

/** How many interfaces there will be; null: they come and go. */
function interfacesOf(input: OpenInput): number | null {
  if (input.kind === 'whole') return 1
  return input.open ? null : input.opened.length
}

function failureOf(error: unknown): Failure {
  const message = errorText(error)
  if (!(error instanceof InterceptorError)) return { message, exitCode: 1 }
  return { message, exitCode: error.exitCode, ...(error.hint === null ? {} : { hint: error.hint }) }
}
