import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isOffline, type OfflineData, ratiosOf, regressions } from '../../bench/baseline.ts'

const contender = (name: string, median: number): OfflineData['results'][number] => ({
  name,
  cpuMicrosPerPair: { median },
})

const run = (parseMicros: number): OfflineData => ({
  trace: { name: 'api' },
  results: [contender('parse stage', parseMicros), contender('read -o none', 9), contender('tshark', 160)],
})

test('baseline: ratios compare each of our contenders with each reference program by CPU time', () => {
  assert.deepEqual(ratiosOf([run(2.5)]), { 'api: parse stage × tshark': 64, 'api: read -o none × tshark': 17.8 })
})

test('baseline: reports a ratio that is lower by more than the tolerance', () => {
  const baseline = ratiosOf([run(2.5)])
  assert.deepEqual(regressions(ratiosOf([run(2.8)]), baseline, 15), [])
  assert.deepEqual(regressions(ratiosOf([run(3)]), baseline, 15), [
    'api: parse stage × tshark: 53.3, the baseline is 64',
  ])
  assert.deepEqual(regressions({}, baseline, 15), [], 'without the reference program')
})

test('baseline: distinguishes sections that read capture files from others', () => {
  assert.equal(isOffline(run(1)), true)
  assert.equal(isOffline({ results: 1 }), false)
  assert.equal(isOffline(null), false)
})
