import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ratiosOf, regressions } from '../../bench/baseline.ts'

const run = (parseMicros: number) =>
  ratiosOf('api', { 'parse stage': parseMicros, 'read -o none': 9, tshark: 160, Go: 10 }, /^(?:Go|tshark)/)

test('baseline: ratios compare each of our costs with each of the references', () => {
  assert.deepEqual(run(2.5), {
    'api: parse stage × tshark': 64,
    'api: read -o none × tshark': 17.8,
    'api: parse stage × Go': 4,
    'api: read -o none × Go': 1.11,
  })
})

test('baseline: reports a ratio that is lower by more than the tolerance', () => {
  const baseline = run(2.5)
  assert.deepEqual(regressions(run(2.8), baseline, 15), [])
  assert.deepEqual(regressions(run(3), baseline, 15), [
    'api: parse stage × tshark: 53.3, the baseline is 64',
    'api: parse stage × Go: 3.33, the baseline is 4',
  ])
})

test('baseline: does not compare what this run has not measured', () => {
  assert.deepEqual(regressions(ratiosOf('api', { 'parse stage': 9 }, /^tshark/), run(2.5), 15), [])
})
