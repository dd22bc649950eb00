import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../oracle/random.ts'
import { PoolProgram } from './pool-program.ts'

const RECORDS = 20
const RECORD_BYTES = 32
/** Offsets of two pairs of links in a record. */
const LINKS = [4, 16] as const
/** Two lists for each pair. */
const LISTS = [0, 1, 6, 7] as const

test('list: keeps records in insertion order; each pair of links puts a record in one list', () => {
  const random = new Random(31)
  const made = new PoolProgram(1, RECORDS * RECORD_BYTES)
  const { appendRecord, newestIn, oldestIn, removeRecord } = made.exports
  const view = new DataView(made.bytes.buffer)
  const model = new Map<number, number[]>(LISTS.map((list) => [list, []]))
  const linked = (first: number, link: number): number[] => {
    const records: number[] = []
    for (let at = first; at !== 0; at = view.getUint32(at + link, true)) records.push(at)
    return records
  }
  for (let i = 0; i < 4000; i++) {
    const pair = random.below(2)
    const record = made.input + random.below(RECORDS) * RECORD_BYTES
    const lists = LISTS.slice(2 * pair, 2 * pair + 2)
    const current = lists.find((list) => model.get(list)?.includes(record))
    if (current === undefined) {
      const list = random.pick(lists)
      appendRecord(list, record, LINKS[pair])
      model.get(list)?.push(record)
    } else {
      removeRecord(current, record, LINKS[pair])
      model.set(
        current,
        (model.get(current) ?? []).filter((one) => one !== record),
      )
    }
    for (const list of lists) {
      const expected = model.get(list) ?? []
      assert.deepEqual(linked(oldestIn(list), LINKS[pair] + 4), expected)
      assert.deepEqual(linked(newestIn(list), LINKS[pair]), expected.toReversed())
    }
  }
})
