import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ownMemory, Window } from '../../../src/capture/files/window.ts'
import { WINDOW_BYTES } from '../../../src/ring/frame-place.ts'

const step = fc.oneof(
  fc.record({ do: fc.constant('read' as const), bytes: fc.integer({ min: 1, max: 300_000 }) }),
  fc.record({ do: fc.constant('skip' as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  fc.record({ do: fc.constant('want' as const), bytes: fc.integer({ min: 1, max: 2_000_000 }) }),
)

const OUTSIDE = 4096

/** The byte at an offset of the file. */
const byteAt = (offset: number): number => (offset * 7 + (offset >> 8)) & 0xff

test('window: model: holds the unparsed bytes of the file at their offset, however they are read and parsed', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40, size: 'max' }), fc.boolean(), (steps, isPart) => {
      // A part of a memory whose other bytes are not its own.
      const whole = new Uint8Array(OUTSIDE + WINDOW_BYTES + OUTSIDE).fill(0xee)
      const part = { bytes: whole, start: OUTSIDE, end: OUTSIDE + WINDOW_BYTES, settle: () => {} }
      const window = new Window(isPart ? part : ownMemory())
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
        } else if (one.do === 'skip') skip(Math.floor(window.available * one.share))
        else if (one.do === 'want') window.wanted = one.bytes
        check()
      }
      const outside = [whole.subarray(0, OUTSIDE), whole.subarray(OUTSIDE + WINDOW_BYTES)]
      assert.ok(outside.every((bytes) => bytes.every((byte) => byte === 0xee)))
    }),
    { numRuns: 40 },
  )
})

test('window: does not replace its buffer while records fit', () => {
  const window = new Window(ownMemory())
  const { bytes } = window
  for (let read = 0; read < 10 * bytes.length; ) {
    const count = Math.min(window.prepare(), 100_000)
    window.filled(count)
    read += count
    window.skip(window.available - 1000)
  }
  assert.equal(window.bytes, bytes)
})

test('window: a larger buffer is used only while what waits does not fit', () => {
  const memory = ownMemory()
  const window = new Window(memory)
  window.filled(window.prepare())
  window.wanted = 2 * WINDOW_BYTES
  window.filled(window.prepare())
  assert.notEqual(window.bytes, memory.bytes)
  window.skip(window.available - 100)
  window.wanted = 16
  assert.equal(window.prepare(), WINDOW_BYTES - 100)
  assert.equal(window.bytes, memory.bytes)
})

test('window: the memory is settled before its bytes are overwritten', () => {
  let settled = 0
  const window = new Window({ ...ownMemory(), settle: () => (settled += 1) })
  for (let reads = 1; reads < 4; reads += 1) {
    window.filled(window.prepare())
    window.skip(window.available)
    assert.equal(settled, reads)
  }
})
