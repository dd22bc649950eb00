import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Backoff, type BackoffPolicy, backoffMs } from '../../src/async/backoff.ts'

const POLICY: BackoffPolicy = { minMs: 1000, firstMs: 1000, maxMs: 30_000, healthyMs: 5000 }

const backoff = (random: number): Backoff => new Backoff(POLICY, () => random)
const waits = (of: Backoff, count: number): number[] => Array.from({ length: count }, () => of.next())

test('Backoff: waits at least the minimum, in a range that doubles up to the maximum', () => {
  assert.deepEqual(waits(backoff(0), 8), [1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000])
  assert.deepEqual(waits(backoff(1), 8), [2000, 3000, 5000, 9000, 17_000, 30_000, 30_000, 30_000])
})

test('Backoff: starts over after reset', () => {
  const one = backoff(1)
  waits(one, 4)
  one.reset()
  assert.equal(one.next(), 2000)
})

test('Backoff: starts over only after success for long enough', () => {
  const one = backoff(1)
  waits(one, 4)
  one.worked(4999)
  assert.equal(one.next(), 17_000)
  one.worked(5000)
  assert.equal(one.next(), 2000)
})

test('Backoff: waits at least as long as the server asks', () => {
  assert.equal(backoff(0).next(7000), 7000)
  assert.equal(backoff(1).next(7000), 8000)
  assert.equal(backoff(0).next(10), 1000)
})

test('backoffMs: every wait lies within the policy, however many failures there were', () => {
  const policy = fc
    .record({ minMs: fc.nat(5000), firstMs: fc.nat(5000), range: fc.nat(60_000) })
    .map(({ minMs, firstMs, range }) => ({ minMs, firstMs, maxMs: minMs + range }))
  fc.assert(
    fc.property(policy, fc.nat(10_000), fc.double({ min: 0, max: 1, noNaN: true }), (of, failures, random) => {
      const wait = backoffMs(of, failures, random)
      assert.ok(wait >= of.minMs && wait <= of.maxMs, `${wait}`)
    }),
  )
})

test('Backoff: agents that failed at the same time do not retry at the same time', () => {
  const first = Array.from({ length: 200 }, () => new Backoff(POLICY).next())
  assert.ok(new Set(first).size > 100)
})
