import assert from 'node:assert/strict'
import { test } from 'node:test'
import { allocateCounters, SHIP_COUNTERS } from '../../../src/ledger/counters.ts'
import { ShipLedger } from '../../../src/ledger/ship-ledger.ts'
import { HeldMemory } from '../../../src/ship/held-memory.ts'
import { PairQueue } from '../../../src/ship/pair-queue.ts'
import { RingPairs } from '../../../src/ship/ring-pairs.ts'
import { NoneSink } from '../../../src/ship/sinks/none-sink.ts'
import { PairRing } from '../pair-ring.ts'

const { index } = SHIP_COUNTERS

test('none sink: counts pairs and their bytes, from a ring and from the queue, up to the limit', () => {
  const counts = allocateCounters(SHIP_COUNTERS)
  const ledger = new ShipLedger(counts)
  const sink = new NoneSink({ ledger, limit: 5, wake: () => {} })
  const ring = new PairRing()
  const put = (pairs: number): void => {
    for (let number = 1; number <= pairs; number += 1) assert.ok(ring.put(number, new Uint8Array(100 * number)))
  }
  const found = (): number[] => [counts[index.pairsRead], counts[index.shipped], counts[index.bytesShipped]]
  const pairs = new RingPairs(ring.consumer, ledger.readCell)
  put(3)
  pairs.begin(Infinity, 0)
  sink.take(pairs)
  assert.ok(pairs.end() > 600)
  assert.deepEqual(found(), [3, 3, 600])
  put(4)
  const queue = new PairQueue(new HeldMemory(null))
  queue.read(ring.consumer, Infinity, 0)
  sink.pump(queue)
  assert.deepEqual([queue.pairs, queue.unsettled, ...found()], [2, 0, 3, 5, 900])
  sink.pump(queue)
  assert.deepEqual([queue.pairs, ...found()], [2, 3, 5, 900])
})
