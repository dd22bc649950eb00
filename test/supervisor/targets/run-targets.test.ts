/** Changes of targets at any time of a run, against a model. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import type { AddResult } from '../../../src/supervisor/options.ts'
import { RunTargets } from '../../../src/supervisor/targets/run-targets.ts'
import type { CaptureTarget } from '../../../src/target/capture-target.ts'
import { propertyRuns } from '../../support/property-runs.ts'

const targetOf = (key: string): CaptureTarget => ({
  key,
  device: 'eth0',
  netns: null,
  info: { name: 'eth0', vantage: 'server', mesh: null, vantagePoint: null },
  excludePorts: [],
  tunnels: false,
  onlyAddresses: null,
  onlyPorts: null,
  labels: {},
})

/** Records the calls that reach the set. */
class RecordingSet {
  readonly calls: string[] = []

  adopt(): Promise<void> {
    return Promise.resolve()
  }

  add({ key }: CaptureTarget): Promise<AddResult> {
    this.calls.push(`add ${key}`)
    return Promise.resolve('captured')
  }

  update({ key }: CaptureTarget): void {
    this.calls.push(`update ${key}`)
  }

  remove(key: string): Promise<void> {
    this.calls.push(`remove ${key}`)
    return Promise.resolve()
  }
}

type Step = 'begin' | 'accept' | 'close' | 'add' | 'update' | 'remove'
const STEPS: readonly Step[] = ['begin', 'accept', 'close', 'add', 'update', 'remove']

/** The expected calls of the set, and the expected result of each `add`. */
class Model {
  readonly calls: string[] = []
  readonly results = new Map<string, 'captured' | 'ended'>()
  #phase: 'waiting' | 'begun' | 'capturing' | 'never' = 'waiting'
  #closed = false
  #waiting: [Step, string][] = []

  step(step: Step, key: string): void {
    if (step === 'begin') {
      if (this.#phase === 'waiting') this.#phase = 'begun'
    } else if (step === 'accept') {
      if (this.#phase === 'begun') this.#settle('capturing')
    } else if (step === 'close') {
      this.#closed = true
      if (this.#phase === 'waiting' || this.#phase === 'begun') this.#settle('never')
    } else if (this.#phase === 'waiting' || this.#phase === 'begun') this.#waiting.push([step, key])
    else this.#apply(step, key)
  }

  #settle(phase: 'capturing' | 'never'): void {
    this.#phase = phase
    for (const [step, key] of this.#waiting.splice(0)) this.#apply(step, key)
  }

  #apply(step: Step, key: string): void {
    const isAdded = this.#phase === 'capturing' && !(step === 'add' && this.#closed)
    if (isAdded) this.calls.push(`${step} ${key}`)
    if (step === 'add') this.results.set(key, isAdded ? 'captured' : 'ended')
  }
}

test('RunTargets: model: changes wait until capture has started, and no target is added once the run ends', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom(...STEPS), { maxLength: 12 }), async (steps) => {
      const [targets, set, model] = [new RunTargets(), new RecordingSet(), new Model()]
      const results = new Map<string, string>()
      let begun = false
      for (const [i, step] of steps.entries()) {
        const key = String(i)
        model.step(step, key)
        if (step === 'begin' && !begun) {
          begun = true
          void targets.begin(set as never, [])
        } else if (step === 'accept' && begun) targets.accept()
        else if (step === 'close') targets.close()
        else if (step === 'update') targets.update(targetOf(key))
        else if (step === 'remove') void targets.remove(key)
        else if (step === 'add') {
          const result = targets.add(targetOf(key))
          void result.then((one) => results.set(key, one === 'captured' ? one : one.reason))
        }
        await turn()
      }
      assert.deepEqual(set.calls, model.calls)
      assert.deepEqual(results, model.results)
    }),
    { numRuns: propertyRuns(400) },
  )
})

test('RunTargets: without a set, there is nothing to observe, count or release', async () => {
  const targets = new RunTargets()
  targets.onMessage({ t: 'closed', interfaceId: 0 })
  targets.close()
  assert.deepEqual([targets.observe(), targets.blocks, targets.interfaceBlocks], [[], [], []])
  await targets.end()
})
