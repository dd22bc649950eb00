import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RestartPolicy } from '../../../src/supervisor/workers/restart-policy.ts'

const CRASH = { nowMs: 0, readyMs: null, isDraining: false }

/** The delays of at most `most` crashes, up to one without a restart. */
function delays(policy: RestartPolicy, crash: Parameters<RestartPolicy['crashed']>[0], most = 20): number[] {
  const found: number[] = []
  for (let delay = policy.crashed(crash); delay !== null && found.length < most; delay = policy.crashed(crash)) {
    found.push(delay)
  }
  return found
}

test('restart policy: a worker that has never become ready is restarted four times, with growing delays', () => {
  const policy = new RestartPolicy(() => 1)
  assert.deepEqual(delays(policy, CRASH), [100, 150, 250, 450])
  assert.equal(policy.restarts, 4)
})

test('restart policy: a worker that has been ready is always restarted, with delays up to ten seconds', () => {
  const policy = new RestartPolicy(() => 1)
  policy.hasWorked = true
  const found = delays(policy, { ...CRASH, readyMs: 999 })
  assert.equal(found.length, 20)
  assert.equal(found.at(-1), 10_000)
})

test('restart policy: delays start over once a run was healthy for a second', () => {
  const policy = new RestartPolicy(() => 1)
  policy.hasWorked = true
  delays(policy, { ...CRASH, readyMs: 0 }, 5)
  assert.equal(policy.crashed({ ...CRASH, readyMs: 1000 }), 100)
})

test('restart policy: a draining worker is restarted twice, without delay', () => {
  const policy = new RestartPolicy(() => 1)
  policy.hasWorked = true
  assert.deepEqual(delays(policy, { ...CRASH, isDraining: true }), [0, 0])
})

test('restart policy: three crashes within a minute are a loop, until the first of them is older', () => {
  const policy = new RestartPolicy(() => 1)
  policy.hasWorked = true
  for (const nowMs of [0, 30_000]) policy.crashed({ ...CRASH, nowMs })
  assert.equal(policy.isLooping(30_000), false)
  policy.crashed({ ...CRASH, nowMs: 59_000 })
  assert.deepEqual([policy.isLooping(59_999), policy.isLooping(60_000)], [true, false])
})
