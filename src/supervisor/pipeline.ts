/**
 * One run of the pipeline: opens the input, starts the workers, supervises them, and drains them in stream order. Main thread.
 *
 *     capture worker × slot ──frame rings──▶ assembler × N ──pair rings──▶ shipper
 *
 * Draining needs no protocol of its own: a capture worker that ends closes its rings, an assembler whose rings are
 * closed and empty closes its own, and the shipper flushes when all of those are empty.
 */

import { compileProgram } from '../assemble/host/program.ts'
import { INTERFACE_IDS } from '../assemble/state-bounds.ts'
import type { ToAssembler } from '../assemble/worker-data.ts'
import { withResolvers } from '../async/with-resolvers.ts'
import { EXIT_DAMAGED, EXIT_DONE, EXIT_RUNTIME, type Failure, failureOf } from '../errors.ts'
import { count, type Ledger } from '../ledger/ledger.ts'
import type { Observation } from '../ledger/observation.ts'
import { RunLedger } from '../ledger/run-ledger.ts'
import type { CaptureTarget } from '../target/capture-target.ts'
import type { VantagePolicy } from '../target/interface-info.ts'
import { Control } from '../thread/control.ts'
import type { FromWorker } from '../thread/messages.ts'
import type { AssemblerPool } from './assembler-pool.ts'
import { AssemblerState } from './assembler-state.ts'
import type { CaptureSlot } from './capture-slot.ts'
import { openInput } from './input.ts'
import { observe } from './observe.ts'
import { interfacesOf, type OpenInput, type SocketInput } from './open-input.ts'
import type { AddResult, Damage, Outcome, PipelineOptions, TargetPipeline } from './options.ts'
import type { Plan } from './plan.ts'
import type { Shedding } from './shedding.ts'
import type { ShipperSlot } from './shipper-slot.ts'
import type { Stages } from './stages.ts'
import { targetEnded } from './target-failure.ts'
import type { TargetSet } from './target-set.ts'
import { failureOfWorker, type WorkerEnd } from './worker-thread.ts'

/** How often the supervisor reads heartbeats and progress from shared memory. */
const CHECK_MS = 50
/** Interval of the same in live capture, which is idle most of the time. */
const LIVE_CHECK_MS = 500
/** By then start-up is over and its memory can be returned. */
const STARTED_MS = 5_000
/** A worker that has not obeyed a stop within this time is terminated. */
const OBEY_MS = 2_000

/** A worker was replaced while files were read. */
const PAIRS_MISSING: Failure = {
  message: 'a worker failed and was replaced: pairs may be missing',
  exitCode: EXIT_RUNTIME,
  hint: 'The ledger (--summary) counts what was lost as crash.',
}

/** Starts a run. Throws nothing: why a run could not start is part of its outcome. */
export function startPipeline(options: PipelineOptions): TargetPipeline {
  return new Pipeline(options)
}

/** Loads what starts the stages. */
async function stagesFor(isSmall: boolean): Promise<Stages> {
  return isSmall ? new (await import('./one-thread.ts')).OneThread() : (await import('./threads.ts')).threads
}

/** Loads what is needed once the input is open. */
const runParts = () => import('./run-parts.ts')
type RunParts = Awaited<ReturnType<typeof runParts>>

/** What the workers of a run are made from, and the doorbells by which they wake each other. */
interface Wiring {
  readonly input: OpenInput
  readonly parts: RunParts
  readonly plan: Plan
  readonly stages: Stages
  /** One per assembler. */
  readonly bells: readonly SharedArrayBuffer[]
  readonly shipperBell: SharedArrayBuffer
}

class Pipeline implements TargetPipeline {
  readonly done: Promise<Outcome>
  readonly #options: PipelineOptions
  readonly #damage: Damage[] = []
  readonly #runLedger = new RunLedger()
  #captures: readonly CaptureSlot[] = []
  #targets: TargetSet | null = null
  readonly #state: AssemblerState
  /** Resolves with the target set once targets can be captured; with null if the run ends before. */
  readonly #capturing = withResolvers<TargetSet | null>()
  #assemblers: AssemblerPool | null = null
  #shipper: ShipperSlot | null = null
  /** Of live capture. */
  #shedding: Shedding | null = null
  #pairRings: SharedArrayBuffer[] = []
  #failure: Failure | null = null
  #draining = false
  /** Whether capture workers have their sources. One that drained before would end at once, and lose its sockets' frames. */
  #isCapturing = false
  #stopping = false
  #bytes = 0
  #totalBytes: number | null = null
  #checking: NodeJS.Timeout | undefined
  #reportsProgress = false

  constructor(options: PipelineOptions) {
    this.#options = options
    this.#state = new AssemblerState(options.config)
    this.done = this.#run()
  }

  get ledger(): Ledger {
    return this.#runLedger.ledger
  }

  observe(): Observation {
    const { bufferBytes } = this.#options.config.ship
    const [assemblers, shipper] = [this.#assemblers, this.#shipper]
    return observe({
      ledger: this.#runLedger,
      captures: this.#captures,
      targets: this.#targets,
      assemblers,
      shipper,
      shedding: this.#shedding,
      pairRings: this.#pairRings,
      bufferBytes,
    })
  }

  async add(target: CaptureTarget): Promise<AddResult> {
    const targets = await this.#capturing.promise
    if (targets === null || this.#draining) return targetEnded('the run is ending')
    return targets.add(target)
  }

  update(target: CaptureTarget): void {
    void this.#capturing.promise.then((targets) => targets?.update(target))
  }

  async remove(key: string): Promise<void> {
    await (await this.#capturing.promise)?.remove(key)
  }

  setAddresses(entries: Parameters<TargetPipeline['setAddresses']>[0]): void {
    this.#postToAssemblers({ t: 'addresses', entries })
  }

  setFilter(filter: PipelineOptions['config']['filter']): void {
    this.#postToAssemblers({ t: 'filter', filter })
  }

  setPolicy(policy: VantagePolicy): void {
    this.#postToAssemblers({ t: 'policy', policy })
  }

  drain(): void {
    this.#draining = true
    this.#capturing.resolve(null)
    if (this.#isCapturing) for (const { worker } of this.#captures) worker.drain()
    this.#assemblers?.drain()
  }

  stop(): void {
    this.#stopping = true
    this.#capturing.resolve(null)
    for (const { worker } of this.#captures) worker.stop()
    this.#assemblers?.stop()
    this.#shipper?.worker.stop()
    setTimeout(() => this.#terminate(), OBEY_MS).unref()
  }

  #terminate(): void {
    for (const { worker } of this.#captures) worker.terminate()
    this.#assemblers?.terminate()
    this.#shipper?.worker.terminate()
  }

  async #run(): Promise<Outcome> {
    let input: OpenInput | null = null
    try {
      // First of all: sockets that are bound hold what arrives while everything else starts.
      input = await openInput(this.#options)
      // The first progress event announces that capture has started.
      if (input.kind === 'sockets' && input.opened.length > 0) this.#reportProgress()
      const parts = await runParts()
      await this.#work(input, parts.planRun(this.#options, interfacesOf(input)), parts)
    } catch (error) {
      this.#fail(failureOf(error))
      this.stop()
    }
    this.#capturing.resolve(null)
    await this.#ended()
    clearInterval(this.#checking)
    this.#shedding?.end()
    await this.#targets?.end()
    if (input?.kind === 'sockets') await input.sockets.closeAll(input.opened.map(({ socket }) => socket))
    return this.#outcome()
  }

  /** Resolves once no worker is left that could touch a ring or a counter. */
  async #ended(): Promise<void> {
    await Promise.all(this.#captures.map(({ ended }) => ended))
    await this.#assemblers?.ended
    await this.#shipper?.worker.ended
  }

  async #work(input: OpenInput, plan: Plan, parts: RunParts): Promise<void> {
    const waits = plan.whenFull === 'wait'
    const isSmall = parts.isSmallRun(this.#options, plan)
    const stages = await stagesFor(isSmall)
    if (this.#stopping) return
    const wiring = this.#wire({ input, parts, plan, stages })
    const captures = Array.from({ length: plan.captures }, (_, slot) => this.#captureSlot(slot, wiring))
    this.#captures = captures
    for (const capture of captures) this.#runLedger.addSource(capture)
    this.#checking = setInterval(() => this.#check(), waits ? CHECK_MS : LIVE_CHECK_MS)
    // First of all threads: what arrives waits in the kernel's rings only until it is read into the frame rings, which are much larger.
    if (input.kind === 'sockets') await this.#captureSockets(input)
    if (this.#stopping) return
    this.#shipper = this.#shipperSlot(wiring)
    const shipped = this.#shipper.worker.ended.then((end) => this.#shipperEnded(end))
    const shipping = this.#shipper.worker.start()
    // Their threads start side by side; a shipper that fails stops the assemblers.
    this.#assemblers = this.#startAssemblers(captures, wiring)
    const assembled = this.#assemblers.ended.then((ends) => this.#assemblersEnded(ends, waits))
    await shipping
    if (this.#failure !== null) return
    // The reader of a file starts at the same time, except where it would keep the assemblers from starting.
    if (!waits || isSmall) await this.#assemblers.ready()
    await this.#capture(input)
    this.#isCapturing = true
    if (!waits) this.#startShedding(parts)
    const captured = captures.map((capture) => this.#untilCaptured(capture))
    // `drain` may have been called before there were capture workers to drain.
    if (this.#draining) this.drain()
    this.#reportsProgress = true
    await Promise.all(captured)
    await assembled
    await shipped
  }

  /** Allocates the rings for pairs, and the doorbells. */
  #wire(shared: Omit<Wiring, 'bells' | 'shipperBell'>): Wiring {
    const { Doorbell, allocateRing } = shared.parts
    const { assemblers, budget } = shared.plan
    this.#pairRings = Array.from({ length: assemblers }, () => allocateRing(budget.pairRingBytes))
    const bells = this.#pairRings.map(() => Doorbell.allocate())
    return { ...shared, bells, shipperBell: Doorbell.allocate() }
  }

  #startShedding({ Shedding }: RunParts): void {
    const { config, log } = this.#options
    const controls = this.#captures.map(({ worker }) => worker.control)
    const keptFrames = (): number => this.#runLedger.framesQueued
    this.#shedding = new Shedding({ cores: config.limits.cpu, controls, keptFrames, log })
    this.#shedding.start()
  }

  #captureSlot(slot: number, { input, parts, plan, stages, bells }: Wiring): CaptureSlot {
    return new parts.CaptureSlot({
      slot,
      frameRingBytes: plan.budget.frameRingBytes,
      assemblerBells: bells,
      whenFull: plan.whenFull,
      tunnels: this.#options.config.capture.tunnels,
      secret: plan.flowSecret,
      warmUpShare: plan.warmUpShare,
      pairRings: plan.whenFull === 'wait' ? [] : this.#pairRings,
      isRestartable: input.kind === 'sockets' || input.source.kind === 'cap',
      onMessage: (message) => this.#onMessage(message),
      stages,
      log: this.#options.log,
    })
  }

  #shipperSlot({ parts, plan, stages, bells, shipperBell }: Wiring): ShipperSlot {
    return new parts.ShipperSlot({
      plan,
      options: this.#options,
      rings: this.#pairRings,
      assemblerBells: bells,
      ownBell: shipperBell,
      counters: this.#runLedger.ship,
      onMessage: (message) => this.#onMessage(message),
      stages,
    })
  }

  #startAssemblers(captures: readonly CaptureSlot[], wiring: Wiring): AssemblerPool {
    const { parts, plan, stages, bells, shipperBell } = wiring
    const program = compileProgram()
    const slots = bells.map((ownBell, slot) => ({
      slot,
      program,
      rings: captures.map(({ rings }) => rings[slot]),
      marks: captures.flatMap(({ marks }) => marks.slice(slot, slot + 1)),
      captureBells: captures.map(({ bell }) => (plan.whenFull === 'wait' ? bell : null)),
      ownBell,
      pairRing: this.#pairRings[slot],
      shipperBell,
      control: Control.allocate(),
      counters: this.#runLedger.newAssembleBlock(),
      whenFull: plan.whenFull,
      options: plan.assemblerOptions,
    }))
    return new parts.AssemblerPool(slots, this.#state, stages, this.#options.log)
  }

  /** Starts capturing: everything behind the capture workers is ready. */
  async #capture(input: OpenInput): Promise<void> {
    if (this.#stopping) return
    // Bound sockets already hold frames, which a drain still reads.
    if (this.#draining && !(input.kind === 'sockets' && input.opened.length > 0)) return
    if (input.kind === 'sockets') {
      this.#capturing.resolve(this.#targets)
      return
    }
    input.interfaces.forEach((info, id) => {
      this.#postToAssemblers({ t: 'interface', id, info })
    })
    const [capture] = this.#captures
    capture.source = () => input.source
    await capture.worker.start()
  }

  /** Captures the sockets that are bound. An assembler that starts later is told of their interfaces then. */
  async #captureSockets({ sockets, opened, ownNetns }: SocketInput): Promise<void> {
    const { TargetSet } = await import('./target-set.ts')
    const { releaseStartMemory } = await import('../sys/release-memory.ts')
    if (this.#stopping) return
    this.#targets = new TargetSet({
      sockets,
      slots: this.#captures,
      announce: (known) => this.#postToAssemblers({ t: 'interface', ...known }),
      interfaceIds: INTERFACE_IDS,
      ownNetns,
      log: this.#options.log,
    })
    this.#runLedger.addSource(this.#targets)
    await this.#targets.adopt(opened)
    setTimeout(releaseStartMemory, STARTED_MS).unref()
  }

  #postToAssemblers(message: ToAssembler): void {
    this.#state.apply(message)
    this.#assemblers?.post(message)
  }

  /** Follows a capture worker's slot to its end. */
  async #untilCaptured(capture: CaptureSlot): Promise<void> {
    if (this.#draining) capture.worker.drain()
    if (this.#stopping) capture.worker.stop()
    const end = await capture.ended
    this.#fail(failureOfWorker(end))
    // Its rings are closed: pairs of what was captured so far are still emitted.
    if (end.how !== 'done' && !this.#stopping) this.drain()
  }

  #shipperEnded(end: WorkerEnd): void {
    if (end.how === 'done') return
    this.#fail(failureOfWorker(end))
    this.stop()
  }

  /** An assembler that is not restarted leaves frames unread, and a reader of files would wait for room in its ring without end. */
  #assemblersEnded(ends: readonly WorkerEnd[], waits: boolean): void {
    const crashed = ends.find(({ how }) => how === 'crashed')
    if (crashed === undefined || this.#stopping) return
    this.#fail(failureOfWorker(crashed))
    if (waits || !this.#draining) this.stop()
  }

  #onMessage(message: FromWorker): void {
    const { log } = this.#options
    this.#targets?.onMessage(message)
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
      case 'outputEnded':
        if (!this.#draining) this.drain()
        break
      default:
        break
    }
  }

  /** Replaces workers that have crashed or hang, and reads what the others report in shared memory. */
  #check(): void {
    for (const { worker } of this.#captures) worker.check()
    this.#shipper?.worker.check()
    this.#assemblers?.check()
    this.#shedding?.check(performance.now())
    if (this.#reportsProgress) this.#reportProgress()
  }

  #reportProgress(): void {
    const run = this.#runLedger
    this.#options.onProgress?.({
      bytes: this.#bytes,
      totalBytes: this.#totalBytes,
      get pairs() {
        return count(run.ledger, 'pairs.kept')
      },
    })
  }

  /** Records why the run failed: the first failure counts. */
  #fail(failure: Failure | null): void {
    this.#failure ??= failure
  }

  #outcome(): Outcome {
    const crashed = (this.#shipper?.worker.restarts ?? 0) > 0 || (this.#assemblers?.restarts ?? 0) > 0
    if (this.#stopping) this.#runLedger.countLeftovers('shutdown')
    else if (crashed) this.#runLedger.countLeftovers('crash')
    // Live capture continues after a crash; the pairs of a file are expected to be complete.
    if (crashed && this.#options.input.kind === 'files') this.#fail(PAIRS_MISSING)
    const damage = this.#damage
    const failure = this.#failure
    // A damaged input does not fail the run, but has an exit code of its own.
    const exitCode = failure?.exitCode ?? (damage.length > 0 ? EXIT_DAMAGED : EXIT_DONE)
    return { ledger: this.ledger, damage, exitCode, failure }
  }
}
