import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RingPairs } from '../../src/ship/ring-pairs.ts'
import { PairRing } from './pair-ring.ts'

test('ring pairs: has the fields and bytes of each pair in order, up to the limit, and counts those that are taken', () => {
  const ring = new PairRing()
  const counts = new Float64Array(3)
  const pairs = new RingPairs(ring.consumer, { counts, index: 2 })
  for (let number = 1; number <= 3; number += 1) assert.ok(ring.put(number, new Uint8Array(100).fill(number)))
  const seen: number[] = []
  const take = (limit: number): number => {
    pairs.begin(limit, 2 ** 32 + 7)
    while (pairs.front()) {
      const { bytes, start, length, connection, server, micros, arrivedMs, recordBytes } = pairs
      pairs.take()
      assert.deepEqual(bytes.slice(start, start + length), new Uint8Array(100).fill(connection))
      assert.deepEqual([server, micros, arrivedMs, recordBytes], [~connection >>> 0, connection * 1000, 7, 136])
      seen.push(connection)
    }
    return pairs.end()
  }
  assert.equal(take(137), 2 * 136)
  assert.deepEqual([seen, counts[2], ring.consumer.used], [[1, 2], 2, 136])
  assert.equal(take(Infinity), 136)
  assert.deepEqual(
    [seen, [...counts]],
    [
      [1, 2, 3],
      [0, 0, 3],
    ],
  )
  assert.equal(take(Infinity), 0)
})

test('ring pairs: a pair that is not taken is the next one again', () => {
  const ring = new PairRing()
  const pairs = new RingPairs(ring.consumer, { counts: new Float64Array(1), index: 0 })
  for (const number of [1, 2]) assert.ok(ring.put(number, new Uint8Array(10)))
  pairs.begin(Infinity, 0)
  assert.ok(pairs.front() && pairs.front())
  assert.deepEqual([pairs.connection, pairs.end()], [1, 0])
})
