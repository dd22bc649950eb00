import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ClockSteps } from '../../src/thread/clock-steps.ts'

test('clock steps: reports a step of the clock once with its size, and does not report slewing', () => {
  const steps = new ClockSteps(1000, 1_000_000, 500)
  assert.equal(steps.next(1_010_000, 10_500), 0)
  assert.equal(steps.next(1_011_000 - 3_600_000, 11_500), -3_600_000)
  assert.equal(steps.next(1_012_000 - 3_600_000, 12_500), 0)
  assert.equal(steps.next(1_013_000 + 60_000, 13_500), 3_660_000)
  for (let second = 14; second < 5000; second += 1) {
    assert.equal(steps.next(1_060_000 + second * 1000.5, second * 1000 + 500), 0)
  }
})
