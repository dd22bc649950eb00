import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Backoff } from '../../src/async/backoff.ts'
import { DEFAULT_TIMING } from '../../src/discovery/kubernetes/collection.ts'

const { minPauseMs, maxPauseMs } = DEFAULT_TIMING
const backoff = (random: number): Backoff =>
  new Backoff({ minMs: minPauseMs, firstMs: 1000, maxMs: maxPauseMs, random: () => random })

test('Backoff: never below a second, spread over twice as much each time, up to its most', () => {
  const [least, most] = [backoff(0), backoff(1)]
  const next = (of: Backoff): number[] => Array.from({ length: 8 }, () => of.next())
  assert.deepEqual(next(least), [1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000])
  assert.deepEqual(next(most), [2000, 3000, 5000, 9000, 17_000, 30_000, 30_000, 30_000])
  most.reset()
  assert.equal(most.next(), 2000)
})

test('Backoff: waits at least as long as the server asks', () => {
  assert.equal(backoff(0).next(7000), 7000)
  assert.equal(backoff(1).next(7000), 8000)
  assert.equal(backoff(0).next(10), 1000)
})
