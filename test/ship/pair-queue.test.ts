import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { PAIR_FIELDS_BYTES } from '../../src/ring/layout.ts'
import { HeldMemory } from '../../src/ship/held-memory.ts'
import { countLeftPairs, openStore } from '../../src/ship/left-pairs.ts'
import { PairQueue } from '../../src/ship/pair-queue.ts'
import { HeldCollector } from './held-collector.ts'
import { PairRing } from './pair-ring.ts'

/** A pair whose bytes are all its number. */
const pairOf = (number: number, length: number): Uint8Array => new Uint8Array(length).fill(number & 0xff)

interface Waiting {
  number: number
  length: number
  arrivedMs: number
}

const lengths = fc.oneof(
  fc.integer({ min: 1, max: 400 }),
  fc.integer({ min: 4000, max: 30_000 }),
  // Around the length of a block.
  fc.integer({ min: 240_000, max: 300_000 }),
)
const steps = fc.array(
  fc.oneof(
    fc.record({ put: lengths }),
    fc.record({ take: fc.integer({ min: 1, max: 1_000_000 }) }),
    fc.record({ pop: fc.integer({ min: 1, max: 30 }) }),
    fc.constant({ settle: true }),
    fc.constant({ replace: true }),
    fc.record({ maxAge: fc.integer({ min: 0, max: 20 }) }),
    fc.record({ maxBytes: fc.integer({ min: 0, max: 1_000_000 }) }),
  ),
  { maxLength: 300, size: 'max' },
)

test('pair queue: model: behaves like a list under any sequence of reads, pops and drops', () => {
  fc.assert(
    fc.property(steps, (all) => {
      const ring = new PairRing(2 * 1024 * 1024)
      const collector = new HeldCollector()
      let { queue } = openStore([], collector.post)
      const inRing: Omit<Waiting, 'arrivedMs'>[] = []
      const model: Waiting[] = []
      let popped: Waiting[] = []
      // Clocks of long-lived agents pass 2^31 milliseconds.
      let nowMs = 2 ** 31 - 100
      let number = 0
      for (const step of all) {
        nowMs += 1
        if ('put' in step) {
          if (ring.put(number, pairOf(number, step.put))) inRing.push({ number, length: step.put })
          number += 1
        } else if ('take' in step) {
          const before = queue.pairs
          queue.read(ring.consumer, step.take, nowMs)
          const taken = inRing.splice(0, queue.pairs - before)
          model.push(...taken.map((pair) => ({ ...pair, arrivedMs: nowMs })))
        } else if ('pop' in step) {
          for (let count = step.pop; count > 0 && queue.front(); count -= 1) {
            assertFront(queue, model[0], nowMs)
            queue.pop()
            popped.push(model.shift()!)
          }
        } else if ('settle' in step) {
          queue.settle()
          popped = []
        } else if ('replace' in step) {
          model.unshift(...popped)
          popped = []
          assert.equal(countLeftPairs(collector.left), model.length)
          queue = openStore(collector.left, collector.post).queue
        } else if ('maxAge' in step) {
          const young = model.filter(({ arrivedMs }) => nowMs - arrivedMs <= step.maxAge)
          assert.equal(queue.dropOlder(step.maxAge, nowMs), model.length - young.length)
          if (young.length < model.length) popped = []
          model.splice(0, model.length - young.length)
        } else {
          const dropped = queue.dropOver(step.maxBytes)
          if (dropped > 0) popped = []
          model.splice(0, dropped)
          assert.ok(queue.byteCount <= step.maxBytes)
        }
        assert.equal(queue.pairs, model.length)
        assert.equal(queue.unsettled, popped.length)
        assert.equal(
          queue.byteCount,
          model.reduce((sum, { length }) => sum + recordBytes(length), 0),
        )
        assert.equal(queue.front(), model.length > 0)
        if (model.length > 0) assertFront(queue, model[0], nowMs)
      }
    }),
    { numRuns: 200 },
  )
})

const recordBytes = (length: number): number => (PAIR_FIELDS_BYTES + length + 7) & ~7

function assertFront(queue: PairQueue, { number, length, arrivedMs }: Waiting, nowMs: number): void {
  assert.ok(queue.front())
  assert.equal(queue.length, length)
  assert.equal(queue.connection, number)
  assert.equal(queue.server, ~number >>> 0)
  assert.equal(queue.micros, number * 1000)
  assert.equal(queue.ageMs(nowMs), nowMs - arrivedMs)
  assert.equal(queue.recordBytes, recordBytes(length))
  assert.equal(Buffer.compare(queue.bytes.subarray(queue.start, queue.start + length), pairOf(number, length)), 0)
}

test('pair queue: a pair longer than a block that follows a full one, with pairs that wait in it', () => {
  const ring = new PairRing(4 * 1024 * 1024)
  const queue = openStore([], null).queue
  // Leaves so little of a block that another one is added before the long pair is measured.
  const sizes = [250_000, 6000, 300_000, 10, 400_000, 250_000, 6000, 300_000]
  const waiting = sizes.map((length, number) => ({ number, length, arrivedMs: 7 }))
  for (const { number, length } of waiting) assert.ok(ring.put(number, pairOf(number, length)))
  queue.read(ring.consumer, Infinity, 7)
  for (const [index, pair] of waiting.entries()) {
    assert.equal(queue.pairs, waiting.length - index)
    assertFront(queue, pair, 7)
    queue.pop()
  }
  assert.deepEqual([queue.front(), queue.byteCount], [false, 0])
})

test('pair queue: holds a pair longer than its blocks, and small ones after it', () => {
  const ring = new PairRing(4 * 1024 * 1024)
  const queue = new PairQueue(new HeldMemory(null))
  for (const [number, length] of [100, 1_500_000, 100].entries()) assert.ok(ring.put(number, pairOf(number, length)))
  while (queue.read(ring.consumer, 1, 0) > 0);
  for (const [number, length] of [100, 1_500_000, 100].entries()) {
    assertFront(queue, { number, length, arrivedMs: 0 }, 0)
    queue.pop()
  }
  assert.equal(queue.front(), false)
})

test('pair queue: memory is bounded by the waiting pairs, however long it runs', () => {
  const ring = new PairRing()
  const queue = new PairQueue(new HeldMemory(null))
  const blocks = new Set<ArrayBufferLike>()
  for (let number = 0; number < 20_000; number += 1) {
    ring.put(number, pairOf(number, 1000))
    queue.read(ring.consumer, 4096, 0)
    while (queue.front()) {
      blocks.add(queue.bytes.buffer)
      queue.pop()
      queue.settle()
    }
  }
  assert.ok(blocks.size <= 2, `${blocks.size} blocks`)
})

test('pair queue: reports only the pair whose processing ended the thread to the next one', () => {
  const ring = new PairRing()
  const collector = new HeldCollector()
  const { queue } = openStore([], collector.post)
  for (const number of [1, 2, 3]) ring.put(number, pairOf(number, 100))
  queue.read(ring.consumer, 10_000, 0)
  queue.front()
  queue.mark()
  queue.unmark()
  queue.pop()
  queue.front()
  queue.mark()
  const next = openStore(collector.left, collector.post).queue
  const suspects: boolean[] = []
  for (; next.front(); next.pop()) suspects.push(next.isSuspect)
  assert.deepEqual(suspects, [false, true, false])
})
