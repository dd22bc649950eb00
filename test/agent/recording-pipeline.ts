/** Takes the place of a pipeline for tests of what is asked of it, and when: openings end when and as the test says. */

import type { AddressEntry } from '../../src/pair/endpoint-pod.ts'
import type { AddResult, TargetFailure } from '../../src/supervisor/options.ts'
import type { CaptureTarget } from '../../src/target/capture-target.ts'

export class RecordingPipeline {
  /** `add KEY`, `update KEY`, `remove KEY`, `addresses N`, since they were taken the last time. */
  #calls: string[] = []
  readonly #opening = new Map<string, (result: AddResult) => void>()
  readonly #closing = new Map<string, () => void>()
  /** null: openings wait for `opened`. */
  answer: AddResult | null = 'captured'

  add(target: CaptureTarget): Promise<AddResult> {
    this.#calls.push(`add ${target.key}`)
    if (this.answer !== null) return Promise.resolve(this.answer)
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

  take(): string[] {
    const calls = this.#calls
    this.#calls = []
    return calls
  }

  async opened(key: string, result: AddResult = 'captured'): Promise<void> {
    this.#opening.get(key)!(result)
    await settled()
  }

  async closed(key: string): Promise<void> {
    this.#closing.get(key)!()
    await settled()
  }
}

/** Lets promises that are fulfilled be acted upon. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

export const failure = (reason: TargetFailure['reason']): TargetFailure => ({
  message: reason,
  exitCode: 1,
  reason,
  hint: null,
})

export const silent = { debug: () => {}, info: () => {}, warn: () => {} }
