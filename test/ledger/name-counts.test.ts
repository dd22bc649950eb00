import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NAME_COUNTS_BYTES, NameCounts } from '../../src/ledger/name-counts.ts'

const add = (counts: NameCounts, name: string): void => {
  const bytes = Buffer.from(`<${name}>`)
  counts.add(bytes, 1, bytes.length - 1)
}

test('name counts: count each name, and only the first eight names', () => {
  const shared = new SharedArrayBuffer(NAME_COUNTS_BYTES + 8)
  const [counts, reader] = [new NameCounts(shared, 4), new NameCounts(shared, 4)]
  assert.deepEqual([...reader.read()], [])
  for (const name of ['a', 'ab', 'a', 'b', 'a']) add(counts, name)
  assert.deepEqual(
    [...reader.read()],
    [
      ['a', 3],
      ['ab', 1],
      ['b', 1],
    ],
  )
  for (let i = 0; i < 100; i++) add(counts, `name-${i}`)
  add(counts, 'name-0')
  assert.equal(reader.read().size, 8)
  assert.equal(reader.read().get('name-0'), 2)
  assert.equal(reader.read().has('name-99'), false)
})

test('name counts: distinguish names by their first 96 bytes', () => {
  const counts = new NameCounts(new SharedArrayBuffer(NAME_COUNTS_BYTES), 0)
  add(counts, `${'x'.repeat(96)}a`)
  add(counts, `${'x'.repeat(96)}b`)
  assert.deepEqual([...counts.read()], [['x'.repeat(96), 2]])
})
