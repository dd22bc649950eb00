import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Window } from '../../../src/capture/files/window.ts'

const step = fc.oneof(
  fc.record({ do: fc.constant('read' as const), bytes: fc.integer({ min: 1, max: 300_000 }) }),
  fc.record({ do: fc.constant('borrow' as const), bytes: fc.integer({ min: 1, max: 300_000 }), from: fc.nat(20) }),
  fc.record({ do: fc.constant('skip' as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  fc.record({ do: fc.constant('want' as const), bytes: fc.integer({ min: 1, max: 2_000_000 }) }),
)

/** The byte at an offset of the file. */
const byteAt = (offset: number): number => (offset * 7 + (offset >> 8)) & 0xff

test('window: model: holds the unparsed bytes of the file at their offset, however they are read and parsed', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40, size: 'max' }), (steps) => {
      const window = new Window()
      let [parsed, read] = [0, 0]
      const fill = (target: Uint8Array, at: number, count: number): void => {
        for (let i = 0; i < count; i++) target[at + i] = byteAt(read + i)
        read += count
      }
      const skip = (count: number): void => {
        window.skip(count)
        parsed += count
      }
      const check = (): void => {
        assert.deepEqual([window.offset, window.available], [parsed, read - parsed])
        for (const at of [0, (read - parsed) >> 1, read - parsed - 1]) {
          if (read > parsed) assert.equal(window.view.getUint8(window.begin + at), byteAt(parsed + at))
        }
      }
      for (const one of steps) {
        if (one.do === 'read') {
          const room = window.prepare()
          assert.ok(room >= 1 && window.end + room <= window.bytes.length)
          assert.ok(window.begin + window.wanted <= window.bytes.length, 'what the parser needs will fit')
          const count = Math.min(room, one.bytes)
          fill(window.bytes, window.end, count)
          window.filled(count)
        } else if (one.do === 'borrow' && window.available === 0) {
          const chunk = new Uint8Array(one.from + one.bytes)
          fill(chunk, one.from, one.bytes)
          window.borrow(chunk, one.from)
          check()
          skip(Math.floor(window.available / 3))
          window.unborrow()
          chunk.fill(0)
        } else if (one.do === 'skip') skip(Math.floor(window.available * one.share))
        else if (one.do === 'want') window.wanted = one.bytes
        check()
      }
    }),
    { numRuns: 40 },
  )
})

test('window: does not replace its buffer while records fit', () => {
  const window = new Window()
  const { bytes } = window
  for (let read = 0; read < 10 * bytes.length; ) {
    const count = Math.min(window.prepare(), 100_000)
    window.filled(count)
    read += count
    window.skip(window.available - 1000)
  }
  assert.equal(window.bytes, bytes)
})
