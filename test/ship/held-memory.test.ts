import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { BATCH, type HeldBlock, HeldMemory, PAIRS, viewHeld } from '../../src/ship/held-memory.ts'
import { HeldCollector } from './held-collector.ts'

test('held memory: another view of a piece has its number, kind, state and bytes', () => {
  const collector = new HeldCollector()
  const memory = new HeldMemory(collector.post, 7)
  memory.allocate(PAIRS, 100)
  const piece = memory.allocate(BATCH, 13)
  piece.state[13] = 2.5
  piece.bytes[15] = 255
  const [, seen] = collector.left.map(viewHeld)
  assert.deepEqual([seen.id, seen.kind, seen.state[13], seen.bytes.length], [8, BATCH, 2.5, 16])
  assert.deepEqual([seen.bytes[15], seen.words[3] >>> 24], [255, 255])
})

test('held memory: the main thread is sent each piece once, until it is released', () => {
  const collector = new HeldCollector()
  const memory = new HeldMemory(collector.post)
  const pieces = [1, 2, 3].map(() => memory.allocate(PAIRS, 64))
  memory.release(pieces[1])
  assert.deepEqual(
    collector.left.map((left) => viewHeld(left).id),
    [pieces[0].id, pieces[2].id],
  )
})

test('held memory: memory that need not outlive the thread is not shared', () => {
  assert.ok(new HeldMemory(null).allocate(PAIRS, 64).bytes.buffer instanceof ArrayBuffer)
})

test('held memory: a thread leaves behind what it allocated and did not release, with its bytes, in any order of calls', () => {
  const step = fc.record({
    bytes: fc.integer({ min: 1, max: 300 }),
    kind: fc.constantFrom(PAIRS, BATCH),
    release: fc.nat(),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), fc.integer({ min: 1, max: 1000 }), (steps, firstId) => {
      const collector = new HeldCollector()
      const memory = new HeldMemory(collector.post, firstId)
      const model: { block: HeldBlock; mark: number }[] = []
      for (const [mark, { bytes, kind, release }] of steps.entries()) {
        const block = memory.allocate(kind, bytes)
        block.bytes.fill(mark)
        block.state[0] = mark
        model.push({ block, mark })
        if (release % 2 === 1) memory.release(model.splice(release % model.length, 1)[0].block)
      }
      const left = collector.left.map(viewHeld)
      assert.deepEqual(
        left.map(({ id, kind, state }) => [id, kind, state[0]]),
        model.map(({ block, mark }) => [block.id, block.kind, mark]),
      )
      for (const { bytes, state } of left) assert.ok(bytes.every((byte) => byte === state[0]))
      assert.ok(left.every(({ id }) => id >= firstId))
    }),
  )
})
