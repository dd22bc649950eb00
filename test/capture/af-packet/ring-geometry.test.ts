import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RETIRE_MS, ringShape } from '../../../src/capture/af-packet/ring-geometry.ts'

const MIB = 1024 * 1024

test('ring shape: blocks fill the ring, and each holds a whole ordinary frame', () => {
  assert.deepEqual(ringShape(8 * MIB, 262144), { blockBytes: MIB / 8, blockCount: 64 })
  assert.deepEqual(ringShape(MIB, 262144), { blockBytes: MIB / 8, blockCount: 8 })
  assert.deepEqual(ringShape(8 * MIB, 96), { blockBytes: MIB / 16, blockCount: 128 })
})

test('ring shape: a large ring has blocks for frames of BIG TCP', () => {
  assert.deepEqual(ringShape(64 * MIB, 262144), { blockBytes: MIB / 2, blockCount: 128 })
  assert.deepEqual(ringShape(64 * MIB, 524288), { blockBytes: MIB, blockCount: 64 })
  assert.deepEqual(ringShape(64 * MIB, 16 * MIB), { blockBytes: MIB, blockCount: 64 }, 'no frame is that large')
  assert.deepEqual(ringShape(16 * MIB, 262144), { blockBytes: MIB / 4, blockCount: 64 })
})

test('ring shape: a pause of ten seconds leaves most of the default ring for frames', () => {
  const { blockBytes, blockCount } = ringShape(8 * MIB, 262144)
  assert.ok((blockCount - 10_000 / RETIRE_MS) * blockBytes > 7.6 * MIB)
})

test('ring shape: has at least two blocks, however small the ring', () => {
  assert.deepEqual(ringShape(4096, 262144), { blockBytes: MIB / 8, blockCount: 2 })
})
