/** The assemblers: a fixed number of slots, and what is posted to all of them. Main thread. */
import type { AssembleTask, ToAssembler } from '../../assemble/worker-data.ts'
import { countAssemblerLosses } from '../../ledger/crash-losses.ts'
import type { ThreadObservation } from '../../ledger/observation.ts'
import type { Log } from '../../log/folded-log.ts'
import { RingProducer } from '../../ring/byte-ring.ts'
import { Doorbell } from '../../ring/doorbell.ts'
import type { Control } from '../../thread/control.ts'
import type { AssemblerState } from './assembler-state.ts'
import type { Stages } from './stages.ts'
import { WorkerSlot } from './worker-slot.ts'
import type { WorkerEnd, WorkerRun } from './worker-thread.ts'

/** The rings, counters and options of one assembler, for every thread that runs it. */
export type AssembleSlot = Omit<AssembleTask, 'interfaces' | 'addresses' | 'port'>

export interface AssemblerPoolParts {
  slots: readonly AssembleSlot[]
  /** What the assembler of a new thread must know: `post` keeps it up to date. */
  state: AssemblerState
  stages: Stages
  /** @see WorkerSlotSpec.threadMates */
  threadMates: readonly Control[]
  log: Log
}

export class AssemblerPool {
  /** Resolves once every slot has ended, with how each did. */
  readonly ended: Promise<WorkerEnd[]>
  readonly #workers: readonly WorkerSlot[]
  readonly #state: AssemblerState
  readonly #stages: Stages
  readonly #threadMates: readonly Control[]

  /** Starts every slot. */
  constructor({ slots, state, stages, threadMates, log }: AssemblerPoolParts) {
    this.#state = state
    this.#stages = stages
    this.#threadMates = threadMates
    this.#workers = slots.map((slot) => this.#workerOf(slot, log))
    this.ended = Promise.all(this.#workers.map((worker, i) => untilEnded(worker, slots[i])))
    for (const worker of this.#workers) void worker.start()
  }

  /** Crashed threads that were replaced. */
  get restarts(): number {
    return this.#workers.reduce((sum, { restarts }) => sum + restarts, 0)
  }

  /** Resolves once every slot reads its rings, or has ended. */
  async ready(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.start()))
  }

  /**
   * Posts to every assembler what `state` has already applied. An assembler applies the message before it reads records that
   * are put into its rings after this call.
   */
  post(message: ToAssembler): void {
    for (const worker of this.#workers) worker.post(message)
  }

  /** Replaces crashed and hung threads. Call it several times a second. */
  check(): void {
    for (const worker of this.#workers) worker.check()
  }

  observe(): ThreadObservation[] {
    return this.#workers.map((worker) => worker.observe()).filter((thread) => thread !== null)
  }

  /** No more frames will be put into the rings. Assemblers end with their rings; this call only limits restarts. */
  drain(): void {
    for (const worker of this.#workers) worker.drain()
  }

  /** Ends every slot now. */
  stop(): void {
    for (const worker of this.#workers) worker.stop()
  }

  /** The last resort, for threads that obey no command. */
  terminate(): void {
    for (const worker of this.#workers) worker.terminate()
  }

  #workerOf(slot: AssembleSlot, log: Log): WorkerSlot {
    const bell = new Doorbell(slot.ownBell)
    return new WorkerSlot({
      role: 'assemble',
      slot: slot.slot,
      control: slot.control,
      threadMates: this.#threadMates,
      wake: () => bell.ring(),
      launch: () => this.#launch(slot),
      isRestartable: true,
      mayHang: true,
      onCrash: () => countAssemblerLosses(slot.counters),
      log,
    })
  }

  /** Starts a thread that knows everything posted so far, and receives what is posted from now on. */
  #launch(slot: AssembleSlot): WorkerRun {
    const { interfaces, addresses, filter, policy } = this.#state
    const options = { ...slot.options, ...policy, filter }
    return this.#stages.assemble({ ...slot, options, interfaces, addresses }, ({ id, info }) =>
      this.#state.apply({ t: 'interface', id, info }),
    )
  }
}

/** Closes the ring to the shipper, which an assembler that did not end by itself leaves open. */
async function untilEnded(worker: WorkerSlot, { pairRing, shipperBell }: AssembleSlot): Promise<WorkerEnd> {
  const end = await worker.ended
  new RingProducer(pairRing, new Doorbell(shipperBell)).close()
  return end
}
