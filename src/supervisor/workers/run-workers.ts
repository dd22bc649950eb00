/**
 * The workers of a run, from the frames to the output: their rings, doorbells and slots, which are allocated once, and the
 * commands that reach all of them. Main thread.
 *
 *     capture worker × slot ──frame rings──▶ assembler × N ──pair rings──▶ shipper
 *
 * Draining needs no protocol of its own: a capture worker that ends closes its rings, an assembler whose rings are
 * closed and empty closes its own, and the shipper flushes when all of those are empty.
 */
import { compileProgram } from '../../assemble/host/program.ts'
import type { ToAssembler } from '../../assemble/worker-data.ts'
import type { RingObservation, ThreadObservation } from '../../ledger/observation.ts'
import type { RunLedger } from '../../ledger/run-ledger.ts'
import { allocateRing, RingLevel } from '../../ring/byte-ring.ts'
import { Doorbell } from '../../ring/doorbell.ts'
import { Control } from '../../thread/control.ts'
import type { FromWorker } from '../../thread/messages.ts'
import type { PipelineOptions } from '../options.ts'
import type { Plan } from '../plan.ts'
import { AssemblerPool } from './assembler-pool.ts'
import type { AssemblerState } from './assembler-state.ts'
import { CaptureSlot } from './capture-slot.ts'
import { ShipperSlot } from './shipper-slot.ts'
import type { Stages } from './stages.ts'
import type { WorkerEnd } from './worker-thread.ts'

export interface RunWorkersParts {
  options: PipelineOptions
  plan: Plan
  stages: Stages
  ledger: RunLedger
  /** What every assembler must know. */
  state: AssemblerState
  /** Whether a capture worker that has crashed is replaced. */
  isRestartable: boolean
  onMessage: (message: FromWorker) => void
}

/** A worker that has not obeyed a stop within this time is terminated. */
const OBEY_MS = 2_000

/** The slots of every worker of a run. */
export class RunWorkers {
  readonly captures: readonly CaptureSlot[]
  readonly shipper: ShipperSlot
  readonly #parts: RunWorkersParts
  /** Doorbells: one per assembler, and the shipper's. */
  readonly #bells: readonly SharedArrayBuffer[]
  /** One per assembler. */
  readonly #assemblerControls: readonly SharedArrayBuffer[]
  readonly #shipperBell = Doorbell.allocate()
  /** One per assembler. */
  readonly #pairRings: SharedArrayBuffer[]
  /** Loaded before V8's flags are changed, see thread/v8-flags.ts. */
  readonly #program = compileProgram()
  #assemblers: AssemblerPool | null = null
  #haveSources = false

  /** Allocates everything, and starts nothing. */
  constructor(parts: RunWorkersParts) {
    const { plan, ledger } = parts
    this.#parts = parts
    this.#bells = Array.from({ length: plan.assemblers }, () => Doorbell.allocate())
    this.#assemblerControls = this.#bells.map(() => Control.allocate())
    this.#pairRings = this.#bells.map(() => allocateRing(plan.budget.pairRingBytes))
    this.captures = Array.from({ length: plan.captures }, (_, slot) => this.#captureSlot(slot))
    this.shipper = this.#shipperSlot()
    for (const capture of this.captures) ledger.addSource(capture)
  }

  /** Starts every assembler. @returns how each has ended, once all have */
  startAssemblers(): Promise<WorkerEnd[]> {
    const { plan, ledger, state, stages, options } = this.#parts
    const slots = this.#bells.map((ownBell, slot) => ({
      slot,
      program: this.#program,
      rings: this.captures.flatMap(({ rings }) => rings.slice(slot, slot + 1)),
      marks: this.captures.flatMap(({ marks }) => marks.slice(slot, slot + 1)),
      captureBells: this.captures.map(({ bell }) => (plan.whenFull === 'wait' ? bell : null)),
      placeEnd: this.captures[0].placeEnd,
      ownBell,
      pairRing: this.#pairRings[slot],
      shipperBell: this.#shipperBell,
      onlyCounts: plan.sink.kind === 'none' && options.tap === undefined,
      control: this.#assemblerControls[slot],
      counters: ledger.newAssembleBlock(),
      whenFull: plan.whenFull,
      options: plan.assemblerOptions,
    }))
    const threadMates = stages.sharesThreads ? this.captures.map(({ worker }) => worker.control) : []
    this.#assemblers = new AssemblerPool({ slots, state, stages, threadMates, log: options.log })
    return this.#assemblers.ended
  }

  /** Resolves once every assembler reads its rings, or has ended. */
  async assemblersReady(): Promise<void> {
    await this.#assemblers?.ready()
  }

  /** Control words of the assemblers. */
  get assemblerControls(): readonly Control[] {
    return this.#assemblerControls.map((shared) => new Control(shared))
  }

  /** Whether an assembler or the shipper was replaced. */
  get haveCrashed(): boolean {
    return this.shipper.worker.restarts > 0 || (this.#assemblers?.restarts ?? 0) > 0
  }

  /** Posts to every assembler, also to those that start later. */
  postToAssemblers(message: ToAssembler): void {
    this.#assemblers?.post(message)
  }

  /** Capture workers have their sources: from now on a drain reaches them. One that drained before would lose its sockets' frames. */
  sourcesGiven(): void {
    this.#haveSources = true
  }

  /** Finish pending work, then end. May be called again. */
  drain(): void {
    if (this.#haveSources) for (const { worker } of this.captures) worker.drain()
    this.#assemblers?.drain()
  }

  /** End now, whether a worker obeys or not. */
  stop(): void {
    for (const { worker } of this.captures) worker.stop()
    this.#assemblers?.stop()
    this.shipper.worker.stop()
    setTimeout(() => this.#terminate(), OBEY_MS).unref()
  }

  /** Replaces workers that have crashed or hang. Call it several times a second. */
  check(): void {
    for (const { worker } of this.captures) worker.check()
    this.shipper.worker.check()
    this.#assemblers?.check()
  }

  /** Resolves once no worker is left that could touch a ring or a counter. */
  async ended(): Promise<void> {
    await Promise.all(this.captures.map(({ ended }) => ended))
    await this.#assemblers?.ended
    await this.shipper.worker.ended
  }

  /** The rings of running capture workers, and of all assemblers. */
  rings(): RingObservation[] {
    const running = this.captures.filter(({ worker }) => worker.started)
    const frames = running.flatMap(({ slot, rings: own }) =>
      own.map((ring, assembler) => ({
        kind: 'frames' as const,
        from: `capture-${slot}`,
        to: `assemble-${assembler}`,
        ...levelOf(ring),
      })),
    )
    const pairs = this.#pairRings.map((ring, assembler) => ({
      kind: 'pairs' as const,
      from: `assemble-${assembler}`,
      to: 'ship-0',
      ...levelOf(ring),
    }))
    return [...frames, ...pairs]
  }

  /** The threads that run or will be replaced. */
  threads(): ThreadObservation[] {
    const workers = [...this.captures.map(({ worker }) => worker), this.shipper.worker]
    const own = workers.map((worker) => worker.observe()).filter((thread) => thread !== null)
    return [...own, ...(this.#assemblers?.observe() ?? [])]
  }

  #terminate(): void {
    for (const { worker } of this.captures) worker.terminate()
    this.#assemblers?.terminate()
    this.shipper.worker.terminate()
  }

  #captureSlot(slot: number): CaptureSlot {
    const { options, plan, stages, isRestartable, onMessage } = this.#parts
    return new CaptureSlot({
      slot,
      frameRingBytes: plan.budget.frameRingBytes,
      assemblerBells: this.#bells,
      whenFull: plan.whenFull,
      tunnels: options.config.capture.tunnels,
      secret: plan.flowSecret,
      warmUpShare: plan.warmUpShare,
      threadMates: stages.sharesThreads ? this.#assemblerControls.map((control) => new Control(control)) : [],
      pairRings: plan.whenFull === 'wait' ? [] : this.#pairRings,
      isRestartable,
      // At the start of a run, one that cannot start ends the run, with the reason.
      peersWork: () => this.#haveSources && this.captures.some(({ worker }) => worker.works),
      onMessage,
      stages,
      log: options.log,
    })
  }

  #shipperSlot(): ShipperSlot {
    const { options, plan, stages, ledger, onMessage } = this.#parts
    return new ShipperSlot({
      plan,
      options,
      rings: this.#pairRings,
      assemblerBells: this.#bells,
      ownBell: this.#shipperBell,
      counters: ledger.ship,
      onMessage,
      stages,
    })
  }
}

function levelOf(ring: SharedArrayBuffer): { usedBytes: number; capacityBytes: number } {
  const { usedBytes, capacityBytes } = new RingLevel(ring)
  return { usedBytes, capacityBytes }
}
