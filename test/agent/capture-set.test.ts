import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CaptureSet } from '../../src/agent/capture-set.ts'
import type { TargetFailure } from '../../src/supervisor/options.ts'
import type { CaptureTarget } from '../../src/target/capture-target.ts'
import { failure, RecordingPipeline, settled, silent } from './recording-pipeline.ts'

const target = (key: string, changes: Partial<CaptureTarget> = {}): CaptureTarget => ({
  key,
  device: 'eth0',
  netns: { path: '/proc/1/ns/net', inode: 1 },
  info: { name: 'eth0', vantage: 'server', mesh: null, vantagePoint: null },
  excludePorts: [],
  tunnels: false,
  onlyAddresses: null,
  onlyPorts: null,
  labels: {},
  ...changes,
})

function make() {
  const pipeline = new RecordingPipeline()
  const clock = { now: 0 }
  const denied: TargetFailure[] = []
  const set = new CaptureSet({
    pipeline,
    log: silent,
    onDenied: (reason) => denied.push(reason),
    now: () => clock.now,
    random: () => 1,
  })
  return { pipeline, clock, denied, set }
}

test('CaptureSet: opens a wanted target once, and closes it once when it is no longer wanted', async () => {
  const { pipeline, set } = make()
  set.want([target('a'), target('b')])
  await settled()
  set.want([target('a'), target('b')])
  assert.deepEqual(pipeline.take(), ['add a', 'add b'])
  set.want([target('b')])
  set.want([target('b')])
  assert.deepEqual(pipeline.take(), ['remove a'])
})

test('CaptureSet: updates a target with changed names, ports or addresses, but not for another path to its namespace', async () => {
  const { pipeline, set } = make()
  set.want([target('a')])
  await settled()
  pipeline.take()
  set.want([target('a', { netns: { path: '/proc/2/ns/net', inode: 1 } })])
  assert.deepEqual(pipeline.take(), [])
  set.want([target('a', { labels: { pod: 'shop-0' } })])
  set.want([target('a', { labels: { pod: 'shop-0' } })])
  assert.deepEqual(pipeline.take(), ['update a'])
})

test('CaptureSet: applies a change made during opening afterwards', async () => {
  const { pipeline, set } = make()
  pipeline.result = null
  set.want([target('a')])
  set.want([target('a', { excludePorts: [80] })])
  assert.deepEqual(pipeline.take(), ['add a'])
  await pipeline.opened('a')
  assert.deepEqual(pipeline.take(), ['update a'])
})

test('CaptureSet: closes a target that is no longer wanted during opening', async () => {
  const { pipeline, set } = make()
  pipeline.result = null
  set.want([target('a')])
  set.want([])
  assert.deepEqual(pipeline.take(), ['add a', 'remove a'])
  await pipeline.opened('a', failure('ended'))
  await pipeline.closed('a')
  assert.equal(set.failing, 0)
})

test('CaptureSet: opens a target again after it has closed', async () => {
  const { pipeline, set } = make()
  set.want([target('a')])
  await settled()
  set.want([])
  set.want([target('a')])
  assert.deepEqual(pipeline.take(), ['add a', 'remove a'])
  await pipeline.closed('a')
  set.want([target('a')])
  assert.deepEqual(pipeline.take(), ['add a'])
})

test('CaptureSet: retries a failure with exponential backoff, which a success resets', async () => {
  const { pipeline, clock, set } = make()
  pipeline.result = failure('refused')
  const tries: number[] = []
  for (; clock.now <= 120_000; clock.now += 100) {
    set.want([target('a')])
    if (pipeline.take().length > 0) tries.push(clock.now)
    await settled()
  }
  assert.deepEqual(tries, [0, 500, 1300, 2600, 4900, 9200, 17_500, 33_800, 63_800, 93_800])
  assert.equal(set.failing, 1)
  pipeline.result = 'captured'
  clock.now += 30_000
  set.want([target('a')])
  await settled()
  assert.equal(set.failing, 0)
})

test('CaptureSet: does not retry a pod that has ended', async () => {
  const { pipeline, clock, set } = make()
  pipeline.result = failure('gone')
  set.want([target('a')])
  await settled()
  clock.now += 60_000
  set.want([])
  assert.deepEqual([set.failing, pipeline.take()], [0, ['add a']])
})

test('CaptureSet: a capture in the own namespace does not prove the privilege for others', async () => {
  const { pipeline, set, denied } = make()
  set.want([target('host', { netns: null })])
  await settled()
  pipeline.result = failure('denied')
  set.want([target('host', { netns: null }), target('a')])
  await settled()
  assert.equal(denied.length, 1)
})

test('CaptureSet: reports a missing privilege only before the first capture', async () => {
  const { pipeline, set, denied } = make()
  pipeline.result = failure('denied')
  set.want([target('a')])
  await settled()
  assert.equal(denied.length, 1)
  pipeline.result = 'captured'
  set.want([target('b')])
  await settled()
  pipeline.result = failure('denied')
  set.want([target('b'), target('c')])
  await settled()
  assert.equal(denied.length, 1)
})

test('CaptureSet: counts targets as opening until their first result', async () => {
  const { pipeline, clock, set } = make()
  pipeline.result = null
  set.want([target('a'), target('b')])
  assert.equal(set.opening, 2)
  await pipeline.opened('a')
  await pipeline.opened('b', failure('refused'))
  assert.deepEqual([set.opening, set.failing], [0, 1])
  clock.now += 60_000
  set.want([target('a'), target('b')])
  assert.deepEqual([set.opening, set.failing], [0, 0])
})

const KEYS = ['a', 'b', 'c']
const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('want' as const), keys: fc.subarray(KEYS) }),
    fc.record({ kind: fc.constant('opened' as const), key: fc.constantFrom(...KEYS), fails: fc.boolean() }),
    fc.record({ kind: fc.constant('closed' as const), key: fc.constantFrom(...KEYS) }),
    fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 40_000 }) }),
  ),
  { maxLength: 40, size: 'max' },
)

test('CaptureSet: model: opens and closes each target in turn, and ends with exactly the desired ones', async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.subarray(KEYS), async (all, last) => {
      const { pipeline, clock, set } = make()
      pipeline.result = null
      const state = new Map<string, 'opening' | 'open' | 'closing'>()
      /** Checks that the calls since the last check are valid in the pipeline's state. */
      const check = (): void => {
        for (const call of pipeline.take()) {
          const [verb, key] = call.split(' ')
          if (verb === 'add') assert.ok(!state.has(key), call)
          if (verb === 'remove') assert.ok(state.get(key) === 'open' || state.get(key) === 'opening', call)
          if (verb !== 'update') state.set(key, verb === 'add' ? 'opening' : 'closing')
        }
      }
      const settle = async (key: string, fails: boolean): Promise<void> => {
        if (state.get(key) === 'opening') {
          state.set(key, 'open')
          if (fails) state.delete(key)
          await pipeline.opened(key, fails ? failure('refused') : 'captured')
        } else if (state.get(key) === 'closing') {
          state.delete(key)
          pipeline.finishOpening(key)
          await pipeline.closed(key)
        }
      }
      for (const step of all) {
        if (step.kind === 'want') set.want(step.keys.map((key) => target(key)))
        else if (step.kind === 'wait') clock.now += step.ms
        else if (step.kind === 'opened' && state.get(step.key) === 'opening') await settle(step.key, step.fails)
        else if (step.kind === 'closed' && state.get(step.key) === 'closing') await settle(step.key, false)
        check()
      }
      for (let round = 0; round < 4; round += 1) {
        clock.now += 60_000
        set.want(last.map((key) => target(key)))
        check()
        for (const key of KEYS) await settle(key, false)
      }
      assert.deepEqual([...state.keys()].sort(), [...last].sort())
      assert.deepEqual([set.opening, set.failing], [0, 0])
    }),
    { numRuns: 200 },
  )
})
