import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RecordBatch } from '../../src/kafka/record-batch.ts'
import { countLeftPairs, openStore } from '../../src/ship/left-pairs.ts'
import { HeldCollector } from './held-collector.ts'

const NO_HEADERS = Uint8Array.of(0)

test('left pairs: memory without pairs is released', () => {
  const collector = new HeldCollector()
  const { source } = openStore([], collector.post).batches
  source.allocate(1024)
  const before = collector.left
  assert.equal(countLeftPairs(before), 0)
  assert.deepEqual(openStore(before, collector.post).batches.left, [])
  assert.ok(before.every((memory) => !collector.left.includes(memory)))
})

test('left pairs: a batch keeps its records, its partition and its place', () => {
  const collector = new HeldCollector()
  const { source } = openStore([], collector.post).batches
  const batch = new RecordBatch(source)
  batch.place(3, 8)
  for (let number = 0; number < 500; number += 1) {
    batch.append(Uint8Array.of(number, 1, 2), 0, 3, null, NO_HEADERS, 1_795_000_000_000 + number, number)
  }
  batch.heldBytes = 5000
  const newer = batch.split()
  assert.equal(countLeftPairs(collector.left), 500)
  const left = openStore(collector.left, collector.post).batches.left
  assert.deepEqual(
    left.map(({ partition, order, count, heldBytes }) => [partition, order, count, heldBytes]),
    [
      [3, 8, 250, 2500],
      [3, 8.5, 250, 2500],
    ],
  )
  assert.deepEqual([left[0].oldestMs, left[1].newestMs], [0, 499])
  assert.deepEqual(left[0].seal(), batch.seal())
  assert.deepEqual(left[1].seal(), newer.seal())
})
