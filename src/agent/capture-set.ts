/**
 * What is captured and what ought to be, brought together target by target: what is new is opened, what is not wanted any
 * more is let go, what fails is tried again later and later while it is wanted. Main thread.
 */

import { backoffMs } from '../async/backoff.ts'
import type { Logger } from '../log/logger.ts'
import type { TargetFailure, TargetPipeline } from '../supervisor/options.ts'
import type { CaptureTarget } from '../target/capture-target.ts'

/** When a target that could not be captured is tried again. */
const RETRY = { minMs: 250, firstMs: 250, maxMs: 30_000 }

interface Entry {
  target: CaptureTarget
  state: 'opening' | 'captured' | 'failed' | 'removing'
  /** Failures one after the other, and when the next try is due. Milliseconds, monotonic. */
  failures: number
  retryAt: number
}

export interface CaptureSetOptions {
  readonly pipeline: Pick<TargetPipeline, 'add' | 'update' | 'remove'>
  readonly log: Pick<Logger, 'info'>
  /** A privilege is missing, and nothing of the kind could be captured so far: it is not going to be better. */
  readonly onDenied: (failure: TargetFailure) => void
  /** Milliseconds, monotonic. */
  readonly now?: () => number
  /** 0 to 1. Absent: Math.random. */
  readonly random?: () => number
}

export class CaptureSet {
  readonly #options: CaptureSetOptions
  readonly #now: () => number
  readonly #entries = new Map<string, Entry>()
  /** Whether anything was captured: in our own network namespace, and in another, which takes a privilege more. */
  readonly #could = { here: false, elsewhere: false }

  constructor(options: CaptureSetOptions) {
    this.#options = options
    this.#now = options.now ?? (() => performance.now())
  }

  /** How many targets wait for another try. */
  get failing(): number {
    return [...this.#entries.values()].filter(({ state }) => state === 'failed').length
  }

  /**
   * To be called after each pass, also where nothing changed: tries that are due are made here.
   *
   * @param targets all that ought to be captured
   */
  want(targets: readonly CaptureTarget[]): void {
    const wanted = new Map(targets.map((target) => [target.key, target]))
    for (const [key, entry] of this.#entries) if (!wanted.has(key)) this.#letGo(key, entry)
    for (const target of wanted.values()) this.#wantOne(target)
  }

  #wantOne(target: CaptureTarget): void {
    const entry = this.#entries.get(target.key)
    if (entry === undefined) {
      this.#open({ target, state: 'opening', failures: 0, retryAt: 0 })
      return
    }
    // Of what is being let go, the same key is opened anew when that is done.
    if (entry.state === 'removing') return
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
    if (entry.state === 'removing') return
    if (result !== 'captured') {
      this.#failed(entry, result)
      return
    }
    entry.state = 'captured'
    entry.failures = 0
    this.#could[placeOf(target)] = true
    if (!sameCapture(target, entry.target)) this.#options.pipeline.update(entry.target)
    this.#options.log.info('captured', fieldsOf(entry.target))
  }

  #failed(entry: Entry, failure: TargetFailure): void {
    entry.state = 'failed'
    entry.retryAt = this.#now() + backoffMs(RETRY, entry.failures, this.#options.random?.())
    entry.failures += 1
    if (failure.reason === 'denied' && !this.#could[placeOf(entry.target)]) this.#options.onDenied(failure)
  }

  #letGo(key: string, entry: Entry): void {
    if (entry.state === 'removing') return
    const wasOpen = entry.state !== 'failed'
    entry.state = 'removing'
    if (!wasOpen) {
      this.#entries.delete(key)
      return
    }
    void this.#options.pipeline.remove(key).then(() => {
      this.#entries.delete(key)
      this.#options.log.info('captured no longer', fieldsOf(entry.target))
    })
  }
}

/** The process by which the namespace is found may be another one by now; that changes nothing for an open socket. */
const sameCapture = (left: CaptureTarget, right: CaptureTarget): boolean =>
  left === right || JSON.stringify({ ...left, netns: null }) === JSON.stringify({ ...right, netns: null })

const placeOf = ({ netns }: CaptureTarget) => (netns === null ? 'here' : 'elsewhere')

const fieldsOf = ({ key, device, labels }: CaptureTarget) => ({ key, interface: device, ...labels })
