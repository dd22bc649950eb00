import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { allocateRing, FULL, RingConsumer, RingLevel, RingProducer } from '../../src/ring/byte-ring.ts'
import { Doorbell } from '../../src/ring/doorbell.ts'
import { align8, COMMITTED_WORD, HEAD_WORD, TAIL_WORD, TAKEN_WORD } from '../../src/ring/layout.ts'
import { produce, Verifier } from './records.ts'

const CAPACITY = 4096

/** Both ends of a ring whose positions begin at `position`, and its memory. */
function ends(
  position = 0,
  capacity = CAPACITY,
  restingBytes?: number,
): [RingProducer, RingConsumer, SharedArrayBuffer] {
  const shared = allocateRing(capacity)
  const control = new Int32Array(shared)
  control[TAIL_WORD] = position
  control[COMMITTED_WORD] = position
  control[HEAD_WORD] = position
  control[TAKEN_WORD] = position
  const bell = new Doorbell(Doorbell.allocate())
  return [new RingProducer(shared, bell, restingBytes), new RingConsumer(shared, null), shared]
}

test('allocateRing: rounds up to a power of two', () => {
  for (const [wanted, capacity] of [
    [0, 4096],
    [4096, 4096],
    [4097, 8192],
    [1_000_000, 1 << 20],
  ] as const) {
    const ring = new RingProducer(allocateRing(wanted), new Doorbell(Doorbell.allocate()))
    assert.equal(ring.capacity, capacity)
  }
})

test('ByteRing: records of every length wrap at every offset', () => {
  for (let position = 0; position < CAPACITY; position += 8) {
    for (const length of [16, 17, 24, 100, 1000, CAPACITY / 2]) {
      const [producer, consumer] = ends(position)
      const verifier = new Verifier(consumer, CAPACITY, () => length)
      for (let number = 0; number < 6; number++) {
        while (!produce(producer, number, length)) {
          producer.flush()
          assert.ok(verifier.take(), `full, yet nothing to take (offset ${position}, length ${length})`)
        }
      }
      producer.flush()
      while (verifier.take());
      assert.equal(verifier.number, 6)
      assert.equal(consumer.used, 0)
    }
  }
})

test('ByteRing: positions run on through 2^31 and 2^32', () => {
  for (const position of [2 ** 31 - 512, -512]) {
    const [producer, consumer] = ends(position)
    const verifier = new Verifier(consumer, CAPACITY, () => 200)
    for (let number = 0; number < 100; number++) {
      if (!produce(producer, number, 200)) {
        producer.flush()
        while (verifier.take());
        assert.ok(produce(producer, number, 200))
      }
    }
    producer.flush()
    while (verifier.take());
    assert.equal(verifier.number, 100)
  }
})

test('ByteRing: the largest record fits an empty ring at any position', () => {
  for (let position = 0; position < CAPACITY; position += 8) {
    const [producer] = ends(position)
    assert.notEqual(producer.tryClaim(producer.maxRecord), FULL)
  }
})

test('ByteRing: claiming a record that can never fit throws, and leaves the ring unchanged', () => {
  for (const position of [0, CAPACITY - 8]) {
    const [producer, consumer] = ends(position)
    for (const length of [producer.maxRecord + 1, CAPACITY, 2 * CAPACITY]) {
      assert.throws(() => producer.tryClaim(length), RangeError)
    }
    produce(producer, 0, producer.maxRecord)
    producer.flush()
    const verifier = new Verifier(consumer, CAPACITY, () => producer.maxRecord)
    while (verifier.take());
    assert.equal(verifier.number, 1)
  }
})

test('ByteRing: a full ring returns FULL, overwrites nothing, and has room again after release', () => {
  const [producer, consumer] = ends()
  let number = 0
  while (produce(producer, number, 64)) number++
  assert.equal(number, CAPACITY / 64)
  assert.equal(producer.tryClaim(8), FULL)
  producer.flush()
  assert.equal(producer.used, CAPACITY)
  const verifier = new Verifier(consumer, 64, () => 64)
  assert.ok(verifier.take())
  assert.ok(produce(producer, number, 64))
  assert.equal(producer.tryClaim(8), FULL)
})

test('ByteRing: a claim is invisible before its commit, a commit before its publication', () => {
  const [producer, consumer] = ends()
  producer.tryClaim(64)
  producer.flush()
  assert.ok(consumer.empty)
  producer.commit()
  assert.ok(consumer.empty)
  producer.flush()
  assert.equal(consumer.used, 64)
})

test('ByteRing: claiming again without commit returns the same offset', () => {
  const [producer, consumer] = ends(CAPACITY - 32)
  const verifier = new Verifier(consumer, CAPACITY, () => 100)
  assert.equal(producer.tryClaim(100), producer.tryClaim(100))
  produce(producer, 0, 100)
  producer.flush()
  while (verifier.take());
  assert.equal(verifier.number, 1)
})

test('ByteRing: finished only once closed and empty', () => {
  const [producer, consumer] = ends()
  produce(producer, 0, 64)
  assert.ok(!consumer.finished)
  producer.close()
  assert.ok(!consumer.finished)
  consumer.release(consumer.used)
  assert.ok(consumer.finished)
})

test('ByteRing: a new producer or consumer continues where the last one stopped', () => {
  const shared = allocateRing(CAPACITY)
  const bell = new Doorbell(Doorbell.allocate())
  const first = new RingProducer(shared, bell)
  produce(first, 0, 64)
  first.flush()
  const second = new RingProducer(shared, bell)
  produce(second, 1, 64)
  second.flush()
  const verifier = new Verifier(new RingConsumer(shared, null), 64, () => 64)
  assert.ok(verifier.take())
  const resumed = new RingConsumer(shared, null)
  assert.equal(resumed.used, 64)
})

test('ByteRing: a record that was taken stays in its place until it is released, and is not read again', () => {
  const [producer, consumer, shared] = ends()
  for (let number = 0; number < 3; number++) produce(producer, number, 64)
  producer.flush()
  const counts = new Float64Array(1)
  const verifier = new Verifier(consumer, 64, () => 64)
  assert.ok(verifier.takeOne(counts, 0) && verifier.takeOne(counts, 0))
  assert.deepEqual([producer.used, consumer.used, counts[0]], [3 * 64, 64, 2])
  const resumed = new RingConsumer(shared, null)
  assert.equal(resumed.words[(resumed.next() >> 2) + 1], 2)
  resumed.releaseTaken()
  assert.equal(producer.used, 64)
})

test('ByteRing: a new producer continues after records that were committed but not published', () => {
  const shared = allocateRing(CAPACITY)
  const bell = new Doorbell(Doorbell.allocate())
  const consumer = new RingConsumer(shared, null)
  const verifier = new Verifier(consumer, CAPACITY, () => 64)
  const first = new RingProducer(shared, bell)
  produce(first, 0, 64)
  first.flush()
  produce(first, 1, 64)
  first.tryClaim(64)
  assert.equal(consumer.used, 64)
  const second = new RingProducer(shared, bell)
  produce(second, 2, 64)
  second.flush()
  while (verifier.take());
  assert.equal(verifier.number, 3)
})

test('ByteRing: model: any sequence of operations and of threads at both ends delivers every record once and in order', () => {
  const turn = fc.oneof(
    fc.integer({ min: 16, max: CAPACITY / 2 }).map((length) => ({ length })),
    fc.constant('publish' as const),
    fc.constant('take' as const),
    fc.integer({ min: 1, max: 8 }).map((records) => ({ records })),
    fc.constant('release taken' as const),
    fc.constant('replace producer' as const),
    fc.constant('replace consumer' as const),
  )
  const offset = fc.nat(CAPACITY / 8 - 1).map((unit) => unit * 8)
  const resting = fc.constantFrom(CAPACITY / 4, CAPACITY / 2, undefined)
  fc.assert(
    fc.property(offset, resting, fc.array(turn, { maxLength: 200, size: 'max' }), (position, restingBytes, turns) => {
      let [producer, consumer, shared] = ends(position, CAPACITY, restingBytes)
      const lengths: number[] = []
      let published = 0
      const lengthOf = (number: number): number => lengths[number]
      let verifier = new Verifier(consumer, CAPACITY, lengthOf)
      const counts = new Float64Array(2)
      for (const what of turns) {
        if (what === 'publish') {
          producer.flush()
          published = lengths.length
        } else if (what === 'take') {
          while (verifier.take());
          assert.ok(verifier.number >= published)
        } else if (what === 'release taken') consumer.releaseTaken()
        else if (typeof what === 'object' && 'records' in what) {
          const [before, countedBefore] = [verifier.number, counts[1]]
          for (let left = what.records; left > 0 && verifier.takeOne(counts, 1); left -= 1);
          assert.ok(verifier.number >= Math.min(published, before + what.records))
          assert.equal(counts[1] - countedBefore, verifier.number - before)
        } else if (what === 'replace producer') {
          // Its last claim is never committed.
          producer.tryClaim(64)
          producer = new RingProducer(shared, new Doorbell(Doorbell.allocate()), restingBytes)
        } else if (what === 'replace consumer') {
          consumer = new RingConsumer(shared, null)
          const { number } = verifier
          verifier = new Verifier(consumer, CAPACITY, lengthOf)
          verifier.number = number
        } else if (produce(producer, lengths.length, what.length)) lengths.push(what.length)
        else assert.ok(producer.free < 2 * align8(what.length), 'full although there was room')
      }
      producer.close()
      while (verifier.take());
      consumer.releaseTaken()
      assert.equal(producer.used, 0)
      assert.equal(verifier.number, lengths.length)
      assert.ok(consumer.finished)
    }),
  )
})

test('ByteRing: an idle ring uses only its beginning, all of it when the consumer is behind, and then its beginning again', () => {
  const [capacity, restingBytes] = [64 * 1024, 4096]
  const [producer, consumer, shared] = ends(0, capacity, restingBytes)
  const level = new RingLevel(shared)
  const verifier = new Verifier(consumer, capacity, () => 100)
  let number = 0
  const produceAll = (count: number): void => {
    for (let i = 0; i < count && produce(producer, number, 100); i++) number += 1
    producer.flush()
  }
  const rest = (): void => {
    for (let i = 0; i < 1010; i++) {
      produceAll(1)
      assert.deepEqual([producer.used, level.usedBytes], [104, 104])
      while (verifier.take());
      assert.deepEqual([producer.used, level.usedBytes], [0, 0])
    }
  }
  rest()
  assert.deepEqual(producer.bytes.subarray(restingBytes + 104).findIndex(Boolean), -1)
  assert.equal(producer.unused(), null)
  produceAll(1000)
  assert.ok(producer.used > capacity * 0.9, 'the whole ring was used')
  assert.equal(producer.unused(), null)
  while (verifier.take());
  rest()
  const unused = producer.unused()
  assert.equal(unused?.byteLength, capacity - restingBytes)
  assert.equal(producer.unused(), null)
  // Discarded memory reads as zeros.
  unused.fill(0)
  produceAll(1000)
  while (verifier.take());
  assert.equal(verifier.number, number)
})

for (const [name, capacity, count, maxLength] of [
  ['a small ring, always full or empty', 4096, 60_000, 400],
  ['records up to half the ring', 4096, 20_000, 2048],
  ['a large ring', 1 << 20, 150_000, 1500],
] as const) {
  test(`ByteRing: between two threads: ${name}`, { timeout: 60_000 }, async () => {
    const seed = Date.now() & 0x7fffffff
    const workerData = {
      ring: allocateRing(capacity),
      producerBell: Doorbell.allocate(),
      consumerBell: Doorbell.allocate(),
      seed,
      count,
      maxLength,
    }
    const received = await new Promise<number>((resolve, reject) => {
      for (const role of ['producer', 'consumer'] as const) {
        const worker = new Worker(new URL('./ring-thread.js', import.meta.url), { workerData: { ...workerData, role } })
        worker.once('error', (error) => reject(new Error(`seed ${seed}: ${error.message}`)))
        if (role === 'consumer') worker.once('message', resolve)
      }
    })
    assert.equal(received, count, `seed ${seed}`)
  })
}
