import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HISTORY_PERIODS, HistoryAxis, RateHistory } from '../../src/routes/rate-history.ts'

const START = 1_795_406_287_000_000
const SECOND = 1_000_000

const total = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0)

test('rate history: counts events by period, and keeps all counts when periods become longer', () => {
  const axis = new HistoryAxis()
  const history = new RateHistory(axis)
  for (let second = 0; second < 1000; second += 1) history.add(START + second * SECOND)
  const { counts } = history
  assert.equal(counts.length, HISTORY_PERIODS)
  assert.equal(total(counts), 1000)
  // Periods of 0.1 s are doubled until 60 of them exceed 1000 s: 25.6 s each.
  assert.equal(axis.periodMicros, 25.6 * SECOND)
  assert.ok(counts.slice(0, 39).every((count) => count === 25 || count === 26))
})

test('rate history: histories on one axis have the same periods, whenever events were added', () => {
  const axis = new HistoryAxis()
  const [early, late] = [new RateHistory(axis), new RateHistory(axis)]
  early.add(START)
  early.add(START + SECOND / 2)
  late.add(START + 600 * SECOND)
  assert.equal(early.counts[0], 2)
  assert.equal(late.counts.indexOf(1), Math.floor((600 * SECOND) / axis.periodMicros))
})

test('rate history: an event before the first one counts in the first period', () => {
  const axis = new HistoryAxis()
  const history = new RateHistory(axis)
  history.add(START)
  history.add(START - 5 * SECOND)
  assert.equal(history.counts[0], 2)
})
