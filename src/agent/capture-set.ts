/**
 * Reconciles the captures with the desired targets: opens new ones, closes those no longer desired, updates changed ones, and
 * retries failed ones with exponential backoff while they are desired. Main thread.
 *
 *     (new) ──▶ opening ──▶ captured ──no longer desired──▶ closing ──▶ (gone)
 *                 ▲  │                                        ▲
 *           retry │  ▼                                        │
 *                failed          opening ──no longer desired──┘
 */
import { backoffMs } from '../async/backoff.ts'
import type { Logger } from '../log/logger.ts'
import type { TargetFailure, TargetPipeline } from '../supervisor/options.ts'
import { type CaptureTarget, targetLogFields } from '../target/capture-target.ts'

/** Backoff between the attempts to capture a target. */
const RETRY = { minMs: 250, firstMs: 250, maxMs: 30_000 }

interface Entry {
  target: CaptureTarget
  state: 'opening' | 'captured' | 'failed' | 'closing'
  /** Consecutive failures, and when the next attempt is due. Milliseconds, monotonic. */
  failures: number
  retryAt: number
}

export interface CaptureSetOptions {
  readonly pipeline: Pick<TargetPipeline, 'add' | 'update' | 'remove'>
  readonly log: Pick<Logger, 'info'>
  /** Called when a privilege is missing and no target of the same kind was ever captured: retrying would not help. */
  readonly onDenied: (failure: TargetFailure) => void
  /** Milliseconds, monotonic. */
  readonly now?: () => number
  /** Random numbers from 0 to 1. Default: Math.random. */
  readonly random?: () => number
}

/** The captures and their states. */
export class CaptureSet {
  readonly #options: CaptureSetOptions
  readonly #now: () => number
  readonly #entries = new Map<string, Entry>()
  /** Whether any capture has succeeded: in this process's network namespace, and in another, which needs CAP_SYS_ADMIN. */
  readonly #succeeded = { here: false, elsewhere: false }

  constructor(options: CaptureSetOptions) {
    this.#options = options
    this.#now = options.now ?? (() => performance.now())
  }

  /** Targets whose first attempt has no result yet. */
  get opening(): number {
    return [...this.#entries.values()].filter(({ state, failures }) => state === 'opening' && failures === 0).length
  }

  /** Targets that wait for another attempt. */
  get failing(): number {
    return [...this.#entries.values()].filter(({ state }) => state === 'failed').length
  }

  /**
   * Reconciles. Call it after every scan, even if nothing changed: attempts that are due are made here.
   *
   * @param targets everything that is to be captured
   */
  want(targets: readonly CaptureTarget[]): void {
    const wanted = new Map(targets.map((target) => [target.key, target]))
    for (const [key, entry] of this.#entries) if (!wanted.has(key)) this.#close(key, entry)
    for (const target of wanted.values()) this.#reconcile(target)
  }

  #reconcile(target: CaptureTarget): void {
    const entry = this.#entries.get(target.key)
    if (entry === undefined) {
      this.#open({ target, state: 'opening', failures: 0, retryAt: 0 })
      return
    }
    // The same key is opened again by a later call, once it is closed.
    if (entry.state === 'closing') return
    const changed = !sameCapture(entry.target, target)
    entry.target = target
    if (entry.state === 'captured' && changed) this.#options.pipeline.update(target)
    if (entry.state === 'failed' && this.#now() >= entry.retryAt) this.#open(entry)
  }

  #open(entry: Entry): void {
    entry.state = 'opening'
    this.#entries.set(entry.target.key, entry)
    void this.#add(entry)
  }

  async #add(entry: Entry): Promise<void> {
    const { target } = entry
    const result = await this.#options.pipeline.add(target)
    if (entry.state === 'closing') return
    if (result !== 'captured') {
      this.#failed(entry, result)
      return
    }
    entry.state = 'captured'
    entry.failures = 0
    this.#succeeded[placeOf(target)] = true
    if (!sameCapture(target, entry.target)) this.#options.pipeline.update(entry.target)
    this.#options.log.info('captured', targetLogFields(entry.target))
  }

  #failed(entry: Entry, failure: TargetFailure): void {
    entry.state = 'failed'
    entry.retryAt = this.#now() + backoffMs(RETRY, entry.failures, this.#options.random?.())
    entry.failures += 1
    if (failure.reason === 'denied' && !this.#succeeded[placeOf(entry.target)]) this.#options.onDenied(failure)
  }

  #close(key: string, entry: Entry): void {
    if (entry.state === 'closing') return
    const wasOpen = entry.state !== 'failed'
    entry.state = 'closing'
    if (!wasOpen) {
      this.#entries.delete(key)
      return
    }
    void this.#options.pipeline.remove(key).then(() => {
      this.#entries.delete(key)
      this.#options.log.info('no longer captured', targetLogFields(entry.target))
    })
  }
}

/** The path to the namespace may lead through another process now, which does not affect an open socket. */
const sameCapture = (left: CaptureTarget, right: CaptureTarget): boolean =>
  left === right || JSON.stringify({ ...left, netns: null }) === JSON.stringify({ ...right, netns: null })

const placeOf = ({ netns }: CaptureTarget) => (netns === null ? 'here' : 'elsewhere')
