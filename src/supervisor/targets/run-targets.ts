/**
 * The targets of a run, from its beginning to its end: changes wait until targets can be captured, and once the run ends
 * none is added. Main thread.
 *
 *     waiting ──begin──▶ begun ──accept──▶ capturing ──close──▶ closed
 *        └─────────close───┴────────────────────────────────────▲
 */
import { withResolvers } from '../../async/with-resolvers.ts'
import type { CounterBlock } from '../../ledger/ledger.ts'
import type { InterfaceObservation } from '../../ledger/observation.ts'
import type { CaptureTarget } from '../../target/capture-target.ts'
import type { FromWorker } from '../../thread/messages.ts'
import type { AddResult } from '../options.ts'
import { targetEnded } from './target-failure.ts'
import type { TargetSet } from './target-set.ts'

/** The target set of a run, which exists only while sockets are captured. Every method may be called at any time. */
export class RunTargets {
  /** Null until sockets are captured; for good where the input has none. */
  #set: TargetSet | null = null
  /** Resolves once targets can be captured; with null if the run ends before. */
  readonly #capturing = withResolvers<TargetSet | null>()
  #closed = false

  async add(target: CaptureTarget): Promise<AddResult> {
    const set = await this.#capturing.promise
    if (set === null || this.#closed) return targetEnded('the run is ending')
    return set.add(target)
  }

  update(target: CaptureTarget): void {
    void this.#capturing.promise.then((set) => set?.update(target))
  }

  async remove(key: string): Promise<void> {
    await (await this.#capturing.promise)?.remove(key)
  }

  /**
   * Captures sockets that are open already.
   *
   * @throws InterceptorError, SystemError as `TargetSet.adopt` does
   */
  async begin(set: TargetSet, opened: Parameters<TargetSet['adopt']>[0]): Promise<void> {
    this.#set = set
    await set.adopt(opened)
  }

  /** Everything is started: what was asked for so far is done, and what will be is done at once. */
  accept(): void {
    this.#capturing.resolve(this.#set)
  }

  /** The run ends: no target is added from now on. Those that are captured can be removed. */
  close(): void {
    this.#closed = true
    this.#capturing.resolve(null)
  }

  /** Handles what a capture worker reports of one of its interfaces. */
  onMessage(message: FromWorker): void {
    this.#set?.onMessage(message)
  }

  /** Counters of opened and closed targets, and of interfaces that are closing. */
  get blocks(): CounterBlock[] {
    return this.#set?.blocks ?? []
  }

  /** Counters of the interfaces that are captured. */
  get interfaceBlocks(): CounterBlock[] {
    return this.#set?.interfaceBlocks ?? []
  }

  observe(): InterfaceObservation[] {
    return this.#set?.observe() ?? []
  }

  /** Releases every descriptor and ring. Every worker must have ended. */
  async end(): Promise<void> {
    await this.#set?.end()
  }
}
