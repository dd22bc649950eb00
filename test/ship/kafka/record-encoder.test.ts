/** The parts of a record other than the pair's bytes: id, key and partition. */
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import fc from 'fast-check'
import { packPair } from '../../../src/pair/unpack.ts'
import { findId, idLength } from '../../../src/ship/kafka/pair-id.ts'
import { createPartitioner, murmur2 } from '../../../src/ship/kafka/partitioner.ts'
import { makePair } from '../support.ts'

const require = createRequire(import.meta.url)
const theirMurmur2 = require('kafkajs/src/producer/partitioners/default/murmur2.js') as (key: Buffer) => number
test('pair id: is found in a packed pair at any offset', () => {
  const pair = packPair({ ...makePair(1), id: 'x'.repeat(40) })
  for (const bytes of [packPair(makePair(0xfeed)), pair]) {
    const moved = Uint8Array.of(1, 2, 3, ...bytes)
    const at = findId(moved, 3, bytes.length)
    const id = Buffer.from(moved.subarray(at, at + idLength(moved, at))).toString()
    assert.equal(id, bytes === pair ? 'x'.repeat(40) : makePair(0xfeed).id)
  }
})

test('pair id: finds none in other bytes, and does not read past their end', () => {
  fc.assert(fc.property(fc.uint8Array(), (bytes) => findId(bytes, 0, bytes.length) === -1))
  const pair = packPair(makePair(1))
  for (let length = 0; length < 40; length += 1) assert.equal(findId(pair, 0, length), -1)
})

test('partitioner: computes Kafka’s murmur2', () => {
  const key = fc.uint8Array({ minLength: 8, maxLength: 8 })
  fc.assert(fc.property(key, (bytes) => murmur2(bytes) === theirMurmur2(Buffer.from(bytes))))
})

test('partitioner: a connection keeps its partition and key, whatever its server', () => {
  const partitioner = createPartitioner('connection')
  const hash = fc.nat(0xffffffff)
  fc.assert(
    fc.property(hash, hash, hash, fc.integer({ min: 1, max: 100 }), (connection, server, other, partitions) => {
      const partition = partitioner.assign(connection, server, partitions)
      assert.equal(Buffer.from(partitioner.key!).toString(), connection.toString(16).padStart(8, '0'))
      assert.ok(partition >= 0 && partition < partitions)
      assert.equal(partitioner.assign(connection, other, partitions), partition)
    }),
  )
})

test('partitioner: `server` depends on the server alone; `round-robin` has no key and uses every partition', () => {
  const byServer = createPartitioner('server')
  assert.equal(byServer.assign(1, 77, 12), byServer.assign(2, 77, 12))
  const inTurns = createPartitioner('round-robin')
  const seen = new Set(Array.from({ length: 5 }, () => inTurns.assign(1, 1, 5)))
  assert.equal(seen.size, 5)
  assert.equal(inTurns.key, null)
})
