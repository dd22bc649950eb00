import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { CounterCell } from '../../../src/ledger/ship-ledger.ts'
import { Batcher, type BatcherOptions, type Partition } from '../../../src/ship/kafka/batcher.ts'
import { countLeftPairs, openStore } from '../../../src/ship/left-pairs.ts'
import { HeldCollector } from '../held-collector.ts'

const HELD = 100
const NO_HEADERS = Uint8Array.of(0)

/** A counter. */
const cell = (): CounterCell => ({ counts: new Float64Array(1), index: 0 })

/** Adds a pair whose value is its number. */
function add(
  batcher: Batcher,
  partition: number,
  number: number,
  nowMs: number,
  bytes = 60,
  arrivedMs: number = nowMs,
): void {
  const value = new Uint8Array(bytes)
  new DataView(value.buffer).setUint32(0, number)
  const batch = batcher.batchFor(partition, bytes + 32, arrivedMs)
  batch.append(value, 0, bytes, null, NO_HEADERS, 0, arrivedMs)
  batcher.added(batch, HELD, nowMs)
}

/** The numbers in a batch, read relative to the end of each record, because its length field has one or two bytes. */
function numbersIn(partition: Partition): number[] {
  const records = partition.inFlight!.records
  const view = new DataView(records.buffer, records.byteOffset, records.length)
  const size = records.length / partition.inFlight!.count
  return Array.from({ length: partition.inFlight!.count }, (_, index) => view.getUint32(index * size + size - 61))
}

/** @param collector has what an earlier batcher left */
function makeBatcher(overrides: Partial<BatcherOptions> = {}, collector = new HeldCollector()): Batcher {
  const store = openStore(collector.left, collector.post)
  const batcher = new Batcher({ batchBytes: 1000, lingerMs: 50, maxAgeMs: 16_000, ...overrides }, store.batches)
  batcher.setLeaders([1, 1])
  return batcher
}

test('batcher: does not drop a sent batch for its age, because it may have been stored', () => {
  const batcher = makeBatcher()
  const [partition] = batcher.partitions
  add(batcher, 0, 1, 0)
  batcher.next(partition, 100)!.wasSent = true
  batcher.putBack(partition)
  assert.equal(batcher.dropOlder(1000, 5000), 0)
  assert.equal(batcher.dropOver(0), 1)
})

test('batcher: a batch is due once no pair has arrived for a while, when it is full, or when the input has ended', () => {
  const batcher = makeBatcher()
  const [partition, other] = batcher.partitions
  add(batcher, 0, 1, 100)
  assert.equal(batcher.next(partition, 104), null)
  assert.equal(batcher.nextDueMs(), 105)
  add(batcher, 1, 2, 103)
  assert.equal(batcher.next(partition, 105), null)
  assert.equal(batcher.next(partition, 108)?.count, 1)
  assert.equal(batcher.next(other, 108)?.count, 1)
  batcher.done(other, cell())
  for (let number = 0; number < 20; number += 1) add(batcher, 1, number, 200)
  assert.ok((batcher.next(other, 200)?.count ?? 0) < 20)
  batcher.done(partition, cell())
  add(batcher, 0, 2, 300)
  assert.equal(batcher.next(partition, 300), null)
  batcher.flushing = true
  assert.equal(batcher.next(partition, 300)?.count, 1)
})

/** Milliseconds from the last arrival until the batch is due that these pairs begin. */
function dueAfter(batcher: Batcher, ...times: number[]): number {
  for (const nowMs of times) add(batcher, 0, nowMs, nowMs)
  const dueMs = batcher.nextDueMs()
  batcher.next(batcher.partitions[0], dueMs)
  batcher.done(batcher.partitions[0], cell())
  return dueMs - times[times.length - 1]
}

test('batcher: a batch waits for the next burst of pairs, unless bursts are rare', () => {
  const batcher = makeBatcher()
  assert.equal(dueAfter(batcher, 100), 5)
  assert.equal(dueAfter(batcher, 125), 50)
  assert.equal(dueAfter(batcher, 151), 5)
  assert.equal(dueAfter(batcher, 200, 202, 205), 5)
  assert.equal(dueAfter(batcher, 300, 304, 308), 42)
  assert.equal(dueAfter(batcher, 320), 50)
})

test('batcher: pairs that gathered in their ring since the last ones are no burst of their own', () => {
  const batcher = makeBatcher()
  dueAfter(batcher, 100, 104, 108)
  add(batcher, 0, 1, 158, 60, 108)
  assert.equal(batcher.nextDueMs(), 158)
  assert.equal(batcher.next(batcher.partitions[0], 157), null)
  assert.equal(batcher.next(batcher.partitions[0], 158)?.count, 1)
  batcher.done(batcher.partitions[0], cell())
  assert.equal(dueAfter(batcher, 170), 50, 'there was no pause of 62 ms')
})

test('batcher: a batch is due after the linger time even if pairs keep arriving', () => {
  const batcher = makeBatcher()
  for (let nowMs = 100; nowMs < 150; nowMs += 5) {
    add(batcher, 0, nowMs, nowMs)
    assert.equal(batcher.next(batcher.partitions[0], nowMs), null)
  }
  assert.equal(batcher.nextDueMs(), 150)
  assert.equal(batcher.next(batcher.partitions[0], 150)?.count, 10)
})

test('batcher: an open batch joins a request once it is half full or has waited for half of the linger time', () => {
  const batcher = makeBatcher()
  const [partition, other] = batcher.partitions
  dueAfter(batcher, 88, 92, 96)
  add(batcher, 0, 1, 100)
  assert.equal(batcher.next(partition, 105, true), null)
  assert.equal(batcher.next(partition, 105), null)
  add(batcher, 1, 2, 106, 500)
  assert.equal(batcher.next(other, 106), null)
  assert.equal(batcher.next(other, 106, true)?.count, 1)
  add(batcher, 1, 3, 107, 900)
  assert.equal(batcher.next(other, 107, true), null, 'one is in flight')
  for (let nowMs = 110; nowMs < 125; nowMs += 5) add(batcher, 0, nowMs, nowMs)
  assert.equal(batcher.next(partition, 124, true), null)
  assert.equal(batcher.next(partition, 125), null)
  assert.equal(batcher.next(partition, 125, true)?.count, 4)
})

test('batcher: a batch that joins a request never overtakes a waiting one', () => {
  const batcher = makeBatcher()
  const [partition] = batcher.partitions
  add(batcher, 0, 1, 100)
  assert.equal(batcher.next(partition, 200)?.count, 1)
  batcher.putBack(partition)
  partition.retryAtMs = 300
  add(batcher, 0, 2, 210, 900)
  assert.equal(batcher.next(partition, 290, true), null)
  assert.equal(batcher.next(partition, 300, true)?.count, 1)
  assert.deepEqual(numbersIn(partition), [1])
})

test('batcher: the oldest pair is in the batch in flight, or otherwise in the first waiting one', () => {
  const batcher = makeBatcher()
  const [partition, other] = batcher.partitions
  assert.equal(batcher.oldestMs(), Infinity)
  add(batcher, 0, 1, 100)
  add(batcher, 1, 2, 120)
  assert.equal(batcher.oldestMs(), 100)
  assert.ok(batcher.next(partition, 200))
  add(batcher, 0, 3, 210)
  assert.equal(batcher.oldestMs(), 100)
  batcher.done(partition, cell())
  assert.equal(batcher.oldestMs(), 120)
  assert.ok(batcher.next(other, 200))
  batcher.done(other, cell())
  assert.equal(batcher.oldestMs(), 210)
})

test('batcher: a partition has at most one batch in flight, and waits after a failure', () => {
  const batcher = makeBatcher()
  const [partition] = batcher.partitions
  for (let number = 0; number < 40; number += 1) add(batcher, 0, number, 0)
  const first = batcher.next(partition, 100)
  assert.equal(batcher.next(partition, 100), null)
  partition.retryAtMs = 500
  batcher.putBack(partition)
  assert.equal(batcher.next(partition, 499), null)
  assert.equal(batcher.next(partition, 500), first)
})

test('batcher: model: keeps order and counts while batches are sent, fail, are halved or passed to another batcher', () => {
  const step = fc.constantFrom('add', 'send', 'fail', 'halve', 'done', 'replace')
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400, size: 'max' }), (steps) => {
      const collector = new HeldCollector()
      let batcher = makeBatcher({ lingerMs: 0 }, collector)
      let [partition] = batcher.partitions
      let added = 0
      const shipped: number[] = []
      const counted = cell()
      const apply = (what: string): void => {
        if (what === 'add') add(batcher, 0, added++, 0)
        else if (what === 'send') batcher.next(partition, 1)
        else if (what === 'fail') batcher.putBack(partition)
        else if (what === 'halve' && (partition.inFlight?.count ?? 0) > 1) batcher.splitInFlight(partition)
        else if (what === 'done' && partition.inFlight !== null) {
          shipped.push(...numbersIn(partition))
          batcher.done(partition, counted)
        } else if (what === 'replace') {
          batcher = makeBatcher({ lingerMs: 0 }, collector)
          partition = batcher.partitions[0]
        }
        assert.equal(countLeftPairs(collector.left), batcher.pairs)
        assert.equal(batcher.byteCount, batcher.pairs * HELD)
        assert.equal(batcher.pairs, added - shipped.length)
        assert.equal(counted.counts[0], shipped.length)
      }
      steps.forEach(apply)
      batcher.putBack(partition)
      while (batcher.pairs > 0) ['send', 'done'].forEach(apply)
      assert.deepEqual(
        shipped,
        Array.from({ length: added }, (_, number) => number),
      )
      assert.equal(batcher.byteCount, 0)
    }),
  )
})

test('batcher: drops the oldest batches of all partitions over the bound, except those in flight', () => {
  const batcher = makeBatcher()
  for (let number = 0; number < 100; number += 1) add(batcher, number % 2, number, number)
  const [partition] = batcher.partitions
  const inFlight = batcher.next(partition, 1000)
  const dropped = batcher.dropOver(40 * HELD)
  assert.ok(batcher.byteCount <= 40 * HELD)
  assert.equal(batcher.pairs, 100 - dropped)
  assert.equal(partition.inFlight, inFlight)
  const oldest = Math.min(...batcher.partitions.map(({ sealed, open }) => (sealed[0] ?? open)?.oldestMs ?? Infinity))
  assert.ok(oldest >= dropped)
  assert.equal(batcher.dropOver(0), 100 - dropped - (inFlight?.count ?? 0))
})

test('batcher: drops only batches in which every pair is too old', () => {
  const batcher = makeBatcher({ maxAgeMs: 1600, batchBytes: 100_000 })
  for (let nowMs = 0; nowMs < 4000; nowMs += 10) add(batcher, 0, nowMs, nowMs)
  const dropped = batcher.dropOlder(1600, 4000)
  // Older than 2400: 240 pairs. A batch spans at most a sixteenth of maxAge, ten pairs and one.
  assert.ok(dropped <= 240 && dropped > 240 - 12, `${dropped}`)
})

test('batcher: moves the batches of a removed partition to a remaining one', () => {
  const batcher = makeBatcher()
  add(batcher, 1, 7, 0)
  batcher.next(batcher.partitions[1], 100)
  batcher.setLeaders([5])
  const [partition] = batcher.partitions
  assert.equal(partition.leader, 5)
  assert.equal(batcher.next(partition, 100)?.count, 1)
  batcher.done(partition, cell())
  assert.equal(batcher.pairs, 0)
  assert.equal(batcher.byteCount, 0)
})

test('batcher: counts encoded bytes separately for brokers that do not accept them', () => {
  const batcher = makeBatcher()
  batcher.setLeaders([1, 2])
  for (let number = 0; number < 30; number += 1) add(batcher, number % 2, number, 0, 600)
  batcher.next(batcher.partitions[0], 100)
  const all = batcher.encoded(() => false)
  assert.ok(all.sendable > 30 * 600)
  assert.equal(all.stalledGrowth, 0)
  const { sendable, stalledGrowth } = batcher.encoded((leader) => leader === 2)
  assert.ok(sendable > 15 * 600 && sendable < 16 * 700)
  assert.ok(stalledGrowth > 15 * (600 - HELD) && stalledGrowth < 16 * 700)
})

test('batcher: a partition without a leader is not due', () => {
  const batcher = makeBatcher()
  batcher.setLeaders([-1, -1])
  add(batcher, 0, 1, 0)
  assert.equal(batcher.nextDueMs(), Infinity)
})
