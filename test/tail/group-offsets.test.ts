import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { FetchPosition, KafkaWire } from '../../src/kafka/kafkajs-wire.ts'
import { GroupOffsets } from '../../src/tail/group-offsets.ts'

/** The offsets that a broker would store; test/e2e/kafka-tail.test.ts uses a real one. */
class Kept {
  readonly offsets = new Map<number, number>()
  readonly wire = {
    commitOffsets: async (_group: string, positions: readonly FetchPosition[]) => {
      for (const { partition, offset } of positions) this.offsets.set(partition, offset)
    },
  } as unknown as KafkaWire
}

test('group offsets: model: the committed offset is before every unprinted record, and after all others', async () => {
  const records = fc.uniqueArray(
    fc.record({ partition: fc.integer({ min: 0, max: 2 }), offset: fc.integer({ min: 0, max: 30 }) }),
    { selector: ({ partition, offset }) => partition * 100 + offset, maxLength: 40, size: 'max' },
  )
  await fc.assert(
    fc.asyncProperty(records, fc.nat(40), async (fetched, count) => {
      const [printed, left] = [fetched.slice(0, count), fetched.slice(count)]
      const kept = new Kept()
      const group = new GroupOffsets('g')
      group.add(printed, left)
      await group.commit(kept.wire)
      for (const partition of [0, 1, 2]) {
        const of = (all: readonly FetchPosition[]): number[] =>
          all.filter((record) => record.partition === partition).map(({ offset }) => offset)
        if (of(printed).length === 0) assert.equal(kept.offsets.get(partition), undefined)
        else assert.equal(kept.offsets.get(partition), Math.min(Math.max(...of(printed)) + 1, ...of(left)))
      }
    }),
  )
})

test('group offsets: commits only changed offsets', async () => {
  const kept = new Kept()
  const group = new GroupOffsets('g')
  group.add([{ partition: 1, offset: 7 }], [])
  await group.commit(kept.wire)
  assert.deepEqual([...kept.offsets], [[1, 8]])
  kept.offsets.clear()
  await group.commit(kept.wire)
  assert.deepEqual([...kept.offsets], [])
})
