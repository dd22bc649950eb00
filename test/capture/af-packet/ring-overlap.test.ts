import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { RingOverlap } from '../../../src/capture/af-packet/ring-overlap.ts'

/** A frame of a few contents and lengths, at any offset of its ring. */
const frame = fc.record({ byte: fc.integer({ min: 0, max: 3 }), length: fc.integer({ min: 1, max: 5 }) })
const PLACES = 7

type Frame = { byte: number; length: number }

function placed({ byte, length }: Frame, start: number): DataView {
  const bytes = new Uint8Array(start + length + PLACES)
  // Bytes around the frame must not affect its hash.
  bytes.fill(start)
  bytes.fill(0, start, start + length)
  bytes[start + length - 1] = byte
  return new DataView(bytes.buffer)
}

test('ring overlap: skips as many copies of a frame as were delivered before', () => {
  fc.assert(
    fc.property(fc.array(frame), fc.array(frame), fc.integer({ min: 0, max: PLACES }), (first, second, start) => {
      const overlap = new RingOverlap()
      const left = new Map<string, number>()
      for (const one of first) {
        const name = JSON.stringify(one)
        left.set(name, (left.get(name) ?? 0) + 1)
        overlap.add(placed(one, 1), 1, one.length, 0)
      }
      for (const one of second) {
        const name = JSON.stringify(one)
        const copies = left.get(name) ?? 0
        assert.equal(overlap.remove(placed(one, start), start, one.length, 0), copies > 0)
        left.set(name, Math.max(0, copies - 1))
      }
    }),
  )
})

test('ring overlap: a frame with another VLAN tag is another frame', () => {
  const overlap = new RingOverlap()
  const one = { byte: 1, length: 60 }
  overlap.add(placed(one, 0), 0, one.length, 0x3007)
  assert.equal(overlap.remove(placed(one, 0), 0, one.length, 0x3008), false)
  assert.equal(overlap.remove(placed(one, 0), 0, one.length, 0x3007), true)
})
