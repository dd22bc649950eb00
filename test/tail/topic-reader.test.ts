/**
 * Where a reader of a topic begins and continues, against a model of the topic; test/e2e/kafka-tail.test.ts uses real
 * ones.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { defaultConfig } from '../../src/config/load.ts'
import { EXIT_USAGE } from '../../src/errors.ts'
import { OFFSET_OUT_OF_RANGE } from '../../src/kafka/errors.ts'
import { errorOfCode } from '../../src/kafka/kafkajs-internals.ts'
import { type FetchPosition, KafkaWire, type TopicRecord } from '../../src/kafka/kafkajs-wire.ts'
import { type TailRange, TopicReader } from '../../src/tail/topic-reader.ts'
import { propertyRuns } from '../support/property-runs.ts'

/** Longer than the interval after which a reader requests the partitions again. */
const REFRESH_MS = 61_000
const BATCH = 4

interface Partition {
  leader: number
  /** Offsets of the oldest existing record, and of the end. */
  begin: number
  end: number
}

/** The time is computed from offset and partition, so that records of several partitions are interleaved. */
const timeOf = (partition: number, offset: number): number => offset * 10 + partition

/** A topic. A broker's response begins with the batch that holds the wanted record. */
class Topic {
  readonly partitions: Partition[]
  readonly committed = new Map<number, number>()
  nowMs = 1000

  constructor(t: TestContext, partitions: readonly Partition[]) {
    this.partitions = partitions.map((partition) => ({ ...partition }))
    const wire = KafkaWire.prototype
    t.mock.method(performance, 'now', () => this.nowMs)
    t.mock.method(wire, 'leaders', async () => this.partitions.map(({ leader }) => leader))
    t.mock.method(wire, 'offsets', async (at: 'beginning' | 'end' | number, wanted: readonly number[]) =>
      this.#find(at, wanted),
    )
    t.mock.method(wire, 'fetch', async (leader: number, positions: readonly FetchPosition[]) =>
      positions.flatMap((position) => this.#fetch(leader, position)),
    )
    t.mock.method(wire, 'committedOffsets', async () => new Map(this.committed))
    t.mock.method(wire, 'commitOffsets', async (_group: string, positions: readonly FetchPosition[]) => {
      for (const { partition, offset } of positions) this.committed.set(partition, offset)
    })
  }

  open(range: Partial<TailRange> = {}): Promise<TopicReader> {
    const reader = new TopicReader({ ...defaultConfig().kafka, brokers: ['127.0.0.1:1'], topic: 'pairs' }, () => {})
    return reader.open({ from: 'beginning', partitions: null, offset: null, group: null, ...range }).then(() => reader)
  }

  #find(at: 'beginning' | 'end' | number, wanted: readonly number[]): Map<number, number> {
    const found = wanted.map((id): [number, number] => {
      const { begin, end } = this.partitions[id]
      if (typeof at === 'string') return [id, at === 'beginning' ? begin : end]
      let offset = begin
      while (offset < end && timeOf(id, offset) < at) offset += 1
      return [id, offset]
    })
    return new Map(found)
  }

  #fetch(leader: number, { partition, offset }: FetchPosition): TopicRecord[] {
    const { leader: own, begin, end } = this.partitions[partition]
    assert.equal(own, leader, 'a partition is read from its leader')
    if (offset < begin || offset > end) throw errorOfCode(OFFSET_OUT_OF_RANGE)
    const first = Math.max(begin, offset - (offset % BATCH))
    const count = Math.min(end, first + 2 * BATCH) - first
    return Array.from({ length: count }, (_, index) => ({
      partition,
      offset: first + index,
      timestampMs: timeOf(partition, first + index),
      value: null,
      contentType: null,
    }))
  }
}

const positionsOf = (records: readonly FetchPosition[]): string[] =>
  records.map(({ partition, offset }) => `${partition}:${offset}`)

type Step =
  | { do: 'read' }
  | { do: 'produce'; partition: number; records: number }
  | { do: 'delete'; partition: number; records: number }
  | { do: 'lead'; partition: number; leader: number }
  | { do: 'add partition' }

const PARTITIONS = 3
const partition = fc.nat(PARTITIONS - 1)
const records = fc.integer({ min: 1, max: 12 })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.constant({ do: 'read' as const }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('produce' as const), partition, records }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delete' as const), partition, records }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('lead' as const), partition, leader: fc.integer({ min: 1, max: 2 }) }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'add partition' as const }) },
)
const begun = fc
  .array(fc.record({ leader: fc.integer({ min: 1, max: 2 }), begin: fc.nat(10), records: fc.nat(20) }), {
    minLength: PARTITIONS,
    maxLength: PARTITIONS,
  })
  .map((all) => all.map(({ leader, begin, records }) => ({ leader, begin, end: begin + records })))

/** The model of the reader: the next offset of each partition. */
const startOf = (
  { begin, end }: Partition,
  id: number,
  { from, offset }: Pick<TailRange, 'from' | 'offset'>,
): number => {
  if (offset !== null) return Math.min(Math.max(begin, offset), end)
  if (typeof from === 'string') return from === 'beginning' ? begin : end
  const isLater = Array.from({ length: end - begin }, (_, i) => begin + i).find((at) => timeOf(id, at) >= from)
  return isLater ?? end
}

test('topic reader: model: reads each record from its start once, in order, unless it was deleted before', async (t) => {
  const range = fc.record({
    from: fc.oneof(fc.constantFrom('beginning' as const, 'end' as const), fc.nat(300)),
    offset: fc.option(fc.nat(30)),
  })
  await fc.assert(
    fc.asyncProperty(begun, range, fc.array(step, { maxLength: 30, size: 'max' }), async (partitions, where, steps) => {
      const topic = new Topic(t, partitions)
      const reader = await topic.open(where)
      const next = topic.partitions.map((one, id) => startOf(one, id, where))
      const ends = topic.partitions.map(({ end }) => end)
      for (const one of steps) {
        if (one.do === 'read') {
          topic.nowMs += REFRESH_MS
          while (next.length < topic.partitions.length) next.push(0)
          const isAllThere = topic.partitions.every(({ begin }, id) => next[id] >= begin)
          const read = await reader.read()
          const times = read.map(({ timestampMs }) => timestampMs)
          assert.deepEqual(
            times,
            [...times].sort((a, b) => a - b),
          )
          if (!isAllThere) {
            // The reader first finds the remaining records, and reads them the next time.
            assert.deepEqual(read, [])
            for (const [id, { begin }] of topic.partitions.entries()) next[id] = Math.max(next[id], begin)
          }
          for (const { partition: id, offset } of read) {
            assert.equal(offset, next[id], `partition ${id}`)
            next[id] += 1
          }
          if (isAllThere)
            assert.ok(topic.partitions.every(({ end }, id) => next[id] === end || read.some((r) => r.partition === id)))
          assert.equal(
            reader.atEnd,
            ends.every((end, id) => next[id] >= end),
          )
        } else if (one.do === 'add partition') topic.partitions.push({ leader: 1, begin: 0, end: 2 })
        else if (one.do === 'produce') topic.partitions[one.partition].end += one.records
        else if (one.do === 'lead') topic.partitions[one.partition].leader = one.leader
        else {
          const { begin, end } = topic.partitions[one.partition]
          topic.partitions[one.partition].begin = Math.min(end, begin + one.records)
        }
      }
      reader.close()
    }),
    { numRuns: propertyRuns(300) },
  )
})

test('topic reader: reads only the requested partitions, and rejects one that does not exist', async (t) => {
  const topic = new Topic(
    t,
    [0, 1, 2].map(() => ({ leader: 1, begin: 0, end: 3 })),
  )
  const reader = await topic.open({ partitions: [1] })
  assert.deepEqual(positionsOf(await reader.read()), ['1:0', '1:1', '1:2'])
  assert.equal(reader.atEnd, true)
  await assert.rejects(topic.open({ partitions: [1, 3] }), { exitCode: EXIT_USAGE, message: /the partitions 0 to 2/ })
})

test('topic reader: a partition without a leader is read once it has one', async (t) => {
  const topic = new Topic(t, [
    { leader: 1, begin: 0, end: 1 },
    { leader: 1, begin: 0, end: 2 },
  ])
  const reader = await topic.open()
  topic.partitions[1].leader = -1
  topic.nowMs += REFRESH_MS
  assert.deepEqual(positionsOf(await reader.read()), ['0:0'])
  topic.partitions[1].leader = 2
  topic.nowMs += REFRESH_MS
  assert.deepEqual(positionsOf(await reader.read()), ['1:0', '1:1'])
})

test('topic reader: a group continues at its committed offsets, and in other partitions at the requested start', async (t) => {
  const topic = new Topic(t, [
    { leader: 1, begin: 0, end: 4 },
    { leader: 1, begin: 0, end: 4 },
  ])
  topic.committed.set(1, 3)
  const reader = await topic.open({ group: 'g' })
  const read = await reader.read()
  assert.deepEqual(positionsOf(read), ['0:0', '0:1', '0:2', '0:3', '1:3'])
  await reader.commit(read.slice(0, 2), read.slice(2))
  assert.deepEqual([...topic.committed].sort(), [
    [0, 2],
    [1, 3],
  ])
})

test('topic reader: a replacement continues after what the failed one has read', async (t) => {
  const topic = new Topic(t, [{ leader: 1, begin: 0, end: 2 * BATCH + 3 }])
  const first = await topic.open()
  const before = positionsOf(await first.read())
  const second = await topic.open({ from: 'end' })
  second.resume(first)
  const after = positionsOf(await second.read())
  assert.deepEqual([before.length, after], [2 * BATCH, ['0:8', '0:9', '0:10']])
})
