/**
 * Takes the place of a pipeline and records its calls. The test decides when and how openings and closings complete.
 */

import { EXIT_RUNTIME } from '../../src/errors.ts'
import type { AddressEntry } from '../../src/pair/endpoint-pod.ts'
import type { AddResult, TargetFailure } from '../../src/supervisor/options.ts'
import type { CaptureTarget } from '../../src/target/capture-target.ts'
import type { VantagePolicy } from '../../src/target/interface-info.ts'

export class RecordingPipeline {
  /** `add KEY`, `update KEY`, `remove KEY`, `addresses N`, `policy KEEP NETWORK…`, since the last `take`. */
  #calls: string[] = []
  readonly #opening = new Map<string, (result: AddResult) => void>()
  readonly #closing = new Map<string, () => void>()
  /** The result of every opening; null: openings wait for `opened`. */
  result: AddResult | null = 'captured'

  add(target: CaptureTarget): Promise<AddResult> {
    this.#calls.push(`add ${target.key}`)
    if (this.result !== null) return Promise.resolve(this.result)
    return new Promise((resolve) => this.#opening.set(target.key, resolve))
  }

  update(target: CaptureTarget): void {
    this.#calls.push(`update ${target.key}`)
  }

  remove(key: string): Promise<void> {
    this.#calls.push(`remove ${key}`)
    return new Promise((resolve) => this.#closing.set(key, resolve))
  }

  setAddresses(entries: readonly AddressEntry[]): void {
    this.#calls.push(`addresses ${entries.length}`)
  }

  setPolicy({ keep, clusterNetworks }: VantagePolicy): void {
    this.#calls.push(['policy', keep, ...clusterNetworks].join(' '))
  }

  take(): string[] {
    const calls = this.#calls
    this.#calls = []
    return calls
  }

  async opened(key: string, result: AddResult = 'captured'): Promise<void> {
    this.#opening.get(key)!(result)
    await settled()
  }

  /** An opening that ends because its target is being removed. No other may be pending. */
  finishOpening(key: string): void {
    this.#opening.get(key)?.(failure('ended'))
  }

  async closed(key: string): Promise<void> {
    this.#closing.get(key)!()
    await settled()
  }
}

/** Runs the continuations of fulfilled promises. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

export const failure = (reason: TargetFailure['reason']): TargetFailure => ({
  message: reason,
  exitCode: EXIT_RUNTIME,
  reason,
  hint: null,
})

export const silent = { debug: () => {}, info: () => {}, warn: () => {} }
