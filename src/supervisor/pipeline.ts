/**
 * One run of the pipeline: opens the input, starts the workers (run-workers.ts), supervises them, and drains them in stream order. Its targets are in run-targets.ts, how it ends in run-end.ts. Main thread.
 */
import { INTERFACE_IDS } from '../assemble/state-bounds.ts'
import type { ToAssembler } from '../assemble/worker-data.ts'
import { failureOf } from '../errors.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Observation } from '../ledger/observation.ts'
import { RunLedger } from '../ledger/run-ledger.ts'
import type { CaptureTarget } from '../target/capture-target.ts'
import type { VantagePolicy } from '../target/interface-info.ts'
import type { FromWorker } from '../thread/messages.ts'
import { setCompilerFlags } from '../thread/v8-flags.ts'
import type { Arrangement } from './arrangement.ts'
import type { Shedding } from './cpu/shedding.ts'
import { openInput } from './input.ts'
import { observe } from './observe.ts'
import { interfacesOf, type OpenInput, type SocketInput } from './open-input.ts'
import type { AddResult, Outcome, PipelineOptions, TargetPipeline } from './options.ts'
import type { Plan } from './plan.ts'
import { RunEnd } from './run-end.ts'
import { RunProgress } from './run-progress.ts'
import { returnStartMemory } from './start-memory.ts'
import { RunTargets } from './targets/run-targets.ts'
import { AssemblerState } from './workers/assembler-state.ts'
import type { RunWorkers } from './workers/run-workers.ts'
import type { Stages } from './workers/stages.ts'
import { failureOfWorker, type WorkerEnd } from './workers/worker-thread.ts'

/** How often the supervisor reads heartbeats and progress from shared memory. */
const CHECK_MS = 50
/** Interval of the same in live capture, which is idle most of the time. */
const LIVE_CHECK_MS = 500
/** A live run that was not checked for this long had no CPU: interfaces dropped frames meanwhile, or connections to Kafka ended. */
const PAUSE_MS = 5_000
/** Starts a run. Throws nothing: why a run could not start is part of its outcome. */
export function startPipeline(options: PipelineOptions): TargetPipeline {
  return new Pipeline(options)
}

/** Loads what starts the stages. */
async function stagesFor(arrangement: Arrangement): Promise<Stages> {
  switch (arrangement) {
    case 'brief':
      return new (await import('./workers/one-thread.ts')).OneThread(true)
    case 'main':
      return new (await import('./workers/watched-thread.ts')).WatchedThread()
    case 'read':
      return new (await import('./workers/read-thread.ts')).ReadThread()
    case 'each':
      return (await import('./workers/threads.ts')).threads
  }
}

/** Loads what is needed once the input is open. */
const runParts = () => import('./run-parts.ts')
type RunParts = Awaited<ReturnType<typeof runParts>>

class Pipeline implements TargetPipeline {
  readonly done: Promise<Outcome>
  readonly #options: PipelineOptions
  readonly #ledger = new RunLedger()
  readonly #end = new RunEnd()
  readonly #progress: RunProgress
  readonly #targets = new RunTargets()
  readonly #state: AssemblerState
  /** Null until the input is open. */
  #workers: RunWorkers | null = null
  /** Exists in live capture only. */
  #shedding: Shedding | null = null
  #checking: NodeJS.Timeout | undefined
  #checkedAtMs = 0

  constructor(options: PipelineOptions) {
    this.#options = options
    this.#progress = new RunProgress(this.#ledger, options.onProgress)
    this.#state = new AssemblerState(options.config)
    this.#ledger.addSource(this.#targets)
    this.done = this.#run()
  }

  get ledger(): Ledger {
    return this.#ledger.ledger
  }

  observe(): Observation {
    return observe({
      ledger: this.#ledger,
      targets: this.#targets,
      workers: this.#workers,
      shedding: this.#shedding,
      bufferBytes: this.#options.config.ship.bufferBytes,
    })
  }

  add(target: CaptureTarget): Promise<AddResult> {
    return this.#targets.add(target)
  }

  update(target: CaptureTarget): void {
    this.#targets.update(target)
  }

  remove(key: string): Promise<void> {
    return this.#targets.remove(key)
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
    this.#end.drain()
    this.#targets.close()
    this.#workers?.drain()
  }

  stop(): void {
    this.#end.stop()
    this.#targets.close()
    this.#workers?.stop()
  }

  async #run(): Promise<Outcome> {
    let input: OpenInput | null = null
    try {
      // First of all: sockets that are bound hold what arrives while everything else starts.
      input = await openInput(this.#options)
      // The first progress event announces that capture has started.
      if (input.kind === 'sockets' && input.opened.length > 0) this.#progress.report()
      await this.#work(input, await runParts())
    } catch (error) {
      this.#end.fail(failureOf(error))
      this.stop()
    }
    this.#targets.close()
    await this.#workers?.ended()
    clearInterval(this.#checking)
    this.#shedding?.end()
    await this.#targets.end()
    if (input?.kind === 'sockets') await input.sockets.closeAll(input.opened.map(({ socket }) => socket))
    return this.#end.outcome(this.#ledger, {
      hasCrashed: this.#workers?.haveCrashed === true,
      readsFiles: this.#options.input.kind === 'files',
    })
  }

  async #work(input: OpenInput, parts: RunParts): Promise<void> {
    const plan = parts.planRun(this.#options, interfacesOf(input))
    const waits = plan.whenFull === 'wait'
    const arrangement = parts.arrange(this.#options, plan)
    const stages = await stagesFor(arrangement)
    if (this.#end.isStopping) return
    const workers = this.#newWorkers(input, plan, stages, parts)
    this.#workers = workers
    this.#checkedAtMs = performance.now()
    this.#checking = setInterval(() => this.#check(workers), waits ? CHECK_MS : LIVE_CHECK_MS)
    // First of all threads: what arrives waits in the kernel's rings only until it is read into the frame rings, which are much larger.
    if (input.kind === 'sockets') await this.#captureSockets(input, workers)
    if (this.#end.isStopping) return
    const { worker: shipper } = workers.shipper
    const shipped = shipper.ended.then((end) => this.#shipperEnded(end))
    const shipping = shipper.start()
    // Their threads start side by side; a shipper that fails stops the assemblers.
    const assembled = workers.startAssemblers().then((ends) => this.#assemblersEnded(ends, waits))
    await shipping
    if (this.#end.hasFailed) return
    // Assemblers first: in a shared thread, reading a file leaves them no time to start.
    await workers.assemblersReady()
    setCompilerFlags()
    for (const { worker } of workers.captures) worker.control.tuned()
    await this.#capture(input, workers)
    workers.sourcesGiven()
    if (!waits) this.#startShedding(workers, parts)
    const captured = workers.captures.map(({ ended }) => ended.then((end) => this.#captureEnded(end)))
    // `drain` may have been called before there were capture workers to drain.
    if (this.#end.isDraining) this.drain()
    this.#progress.begin()
    await Promise.all(captured)
    await assembled
    await shipped
  }

  #newWorkers(input: OpenInput, plan: Plan, stages: Stages, { RunWorkers }: RunParts): RunWorkers {
    return new RunWorkers({
      options: this.#options,
      plan,
      stages,
      ledger: this.#ledger,
      state: this.#state,
      isRestartable: input.kind === 'sockets' || input.source.kind === 'cap',
      onMessage: (message) => this.#onMessage(message),
    })
  }

  #startShedding({ captures, assemblerControls }: RunWorkers, { Shedding, cpuQuota }: RunParts): void {
    const { config, log } = this.#options
    const controls = captures.map(({ worker }) => worker.control)
    const keptFrames = (): number => this.#ledger.framesQueued
    const { cpu: cores } = config.limits
    this.#shedding = new Shedding({ cores, controls, assemblers: assemblerControls, quota: cpuQuota, keptFrames, log })
    this.#shedding.start()
  }

  /** Starts capturing: everything behind the capture workers is ready. */
  async #capture(input: OpenInput, workers: RunWorkers): Promise<void> {
    if (this.#end.isStopping) return
    // Bound sockets already hold frames, which a drain still reads.
    if (this.#end.isDraining && !(input.kind === 'sockets' && input.opened.length > 0)) return
    if (input.kind === 'sockets') {
      this.#targets.accept()
      return
    }
    input.interfaces.forEach((info, id) => {
      this.#postToAssemblers({ t: 'interface', id, info })
    })
    const [capture] = workers.captures
    capture.source = () => input.source
    await capture.worker.start()
  }

  /** Captures the sockets that are bound. An assembler that starts later then receives their interfaces. */
  async #captureSockets({ sockets, opened, ownNetns }: SocketInput, { captures }: RunWorkers): Promise<void> {
    const { TargetSet } = await import('./targets/target-set.ts')
    const { releaseStartMemory } = await import('../sys/release-memory.ts')
    if (this.#end.isStopping) return
    const targets = new TargetSet({
      sockets,
      slots: captures,
      announce: (known) => this.#postToAssemblers({ t: 'interface', ...known }),
      interfaceIds: INTERFACE_IDS,
      ownNetns,
      log: this.#options.log,
    })
    await this.#targets.begin(targets, opened)
    returnStartMemory(releaseStartMemory, () => this.#shedding?.hasShedLately === true)
  }

  #postToAssemblers(message: ToAssembler): void {
    this.#state.apply(message)
    this.#workers?.postToAssemblers(message)
  }

  #captureEnded(end: WorkerEnd): void {
    this.#end.fail(failureOfWorker(end))
    // Its rings are closed: pairs of what was captured so far are still emitted.
    if (end.how !== 'done' && !this.#end.isStopping) this.drain()
  }

  #shipperEnded(end: WorkerEnd): void {
    if (end.how === 'done') return
    this.#end.fail(failureOfWorker(end))
    this.stop()
  }

  /** An assembler that is not restarted leaves frames unread, and a reader of files would wait for room in its ring without end. */
  #assemblersEnded(ends: readonly WorkerEnd[], waits: boolean): void {
    const crashed = ends.find(({ how }) => how === 'crashed')
    if (crashed === undefined || this.#end.isStopping) return
    this.#end.fail(failureOfWorker(crashed))
    if (waits || !this.#end.isDraining) this.stop()
  }

  #onMessage(message: FromWorker): void {
    const { log } = this.#options
    this.#targets.onMessage(message)
    switch (message.t) {
      case 'log':
        log.log(message.level, message.message, message.fields)
        break
      case 'damage':
        this.#end.addDamage(message)
        break
      case 'progress':
        this.#progress.read(message.bytes, message.totalBytes)
        break
      case 'outputEnded':
        if (!this.#end.isDraining) this.drain()
        break
      default:
        break
    }
  }

  /** Replaces workers that have crashed or hang, and reads what the others report in shared memory. */
  #check(workers: RunWorkers): void {
    const nowMs = performance.now()
    if (this.#shedding !== null) this.#notePause(nowMs - this.#checkedAtMs)
    this.#checkedAtMs = nowMs
    workers.check()
    this.#shedding?.check(nowMs)
    this.#progress.check()
  }

  #notePause(ms: number): void {
    if (ms < PAUSE_MS) return
    const seconds = Math.round(ms / 1000)
    this.#options.log.warn(
      `this process did not run for ${seconds} s: it was stopped, or had no CPU; frames that did not fit into the kernel's rings are lost`,
    )
  }
}
