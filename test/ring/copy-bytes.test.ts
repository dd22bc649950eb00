/** Copies between private and shared memory, for any source and target. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { copyBytes } from '../../src/ring/copy-bytes.ts'

const SIZE = 64 * 1024
/** Around the length from which Node.js 20 copies in another way, among others. */
const LENGTHS = [0, 1, 7, 8, 223, 224, 225, 16_383, 16_384, 40_001]

const memories = {
  private: () => new Uint8Array(SIZE),
  shared: () => new Uint8Array(new SharedArrayBuffer(SIZE + 8), 8),
  // A view whose beginning is not aligned.
  view: () => new Uint8Array(new SharedArrayBuffer(SIZE + 8), 3, SIZE),
} as const

for (const [from, source] of Object.entries(memories)) {
  for (const [to, target] of Object.entries(memories)) {
    test(`copy bytes: copies ${from} to ${to} memory at every alignment, and modifies no other bytes`, () => {
      const bytes = source()
      bytes.forEach((_, i) => {
        bytes[i] = (i * 31 + (i >> 8)) & 255
      })
      for (const length of LENGTHS) {
        for (let start = 0; start < 8; start++) {
          const into = target().fill(0xee)
          const at = 8 + ((start * 3) & 7)
          copyBytes(bytes, start, start + length, into, at)
          const expected = Buffer.alloc(SIZE, 0xee)
          expected.set(bytes.subarray(start, start + length), at)
          assert.ok(expected.equals(into), `${length} bytes from ${start} to ${at}`)
          const again = target().fill(0xee)
          copyBytes(bytes.subarray(start, start + length), 0, length, again, at)
          assert.ok(expected.equals(again), `${length} bytes, all of a source, to ${at}`)
        }
      }
    })
  }
}
