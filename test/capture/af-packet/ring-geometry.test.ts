import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ringShape } from '../../../src/capture/af-packet/ring-geometry.ts'

const MIB = 1024 * 1024

test('ring shape: a block takes a whole frame, and blocks fill the ring', () => {
  assert.deepEqual(ringShape(8 * MIB, 262144), { blockBytes: MIB / 2, blockCount: 16 })
  assert.deepEqual(ringShape(8 * MIB, 524288), { blockBytes: MIB, blockCount: 8 })
  assert.deepEqual(ringShape(8 * MIB, 16 * MIB), { blockBytes: MIB, blockCount: 8 }, 'no frame is that large')
  assert.deepEqual(ringShape(8 * MIB, 96), { blockBytes: MIB / 16, blockCount: 128 })
})

test('ring shape: a small ring has enough blocks first, each for an ordinary frame', () => {
  assert.deepEqual(ringShape(4 * MIB, 262144), { blockBytes: MIB / 2, blockCount: 8 })
  assert.deepEqual(ringShape(2 * MIB, 262144), { blockBytes: MIB / 4, blockCount: 8 })
  assert.deepEqual(ringShape(MIB, 262144), { blockBytes: MIB / 8, blockCount: 8 })
})

test('ring shape: two blocks at least, however small the ring', () => {
  assert.deepEqual(ringShape(4096, 262144), { blockBytes: MIB / 8, blockCount: 2 })
})
