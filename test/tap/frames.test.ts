import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { packPair } from '../../src/pair/unpack.ts'
import { COUNT_BYTES, type Frame, LENGTH_BYTES, TapFrames, textFrame, writeCount } from '../../src/tap/frames.ts'
import { makePair } from '../ship/support.ts'
import { propertyRuns } from '../support/property-runs.ts'

function pairFrame(bytes: Uint8Array): Buffer {
  const length = Buffer.alloc(LENGTH_BYTES)
  length.writeUInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}

function countFrame(pairs: number): Buffer {
  const frame = Buffer.alloc(COUNT_BYTES)
  writeCount(frame, 0, pairs)
  return frame
}

/** A frame, and the expected result of reading it. */
const frames = fc.oneof(
  fc.record({ n: fc.nat(1000), bodyBytes: fc.nat(3000) }).map(({ n, bodyBytes }): [Buffer, Frame] => {
    const bytes = packPair(makePair(n, bodyBytes))
    return [pairFrame(bytes), { kind: 'pair', bytes: Buffer.from(bytes) }]
  }),
  fc.nat(0xffff_ffff).map((pairs): [Buffer, Frame] => [countFrame(pairs), { kind: 'notShown', pairs }]),
  fc.stringMatching(/^[ -~]{0,255}$/).map((text): [Buffer, Frame] => [textFrame(text), { kind: 'text', text }]),
)

test('frames: are read as written, in chunks of any size', () => {
  fc.assert(
    fc.property(fc.array(frames), fc.array(fc.integer({ min: 1, max: 2000 }), { minLength: 1 }), (list, cuts) => {
      const bytes = Buffer.concat(list.map(([frame]) => frame))
      const reader = new TapFrames()
      const read: (Frame | Error)[] = []
      for (let at = 0, cut = 0; at < bytes.length; cut += 1) {
        const length = cuts[cut % cuts.length]
        reader.push(bytes.subarray(at, at + length))
        at += length
        for (let frame = reader.next(); frame !== null; frame = reader.next()) read.push(frame)
      }
      assert.deepEqual(
        read,
        list.map(([, frame]) => frame),
      )
    }),
    { numRuns: propertyRuns(400) },
  )
})

for (const [what, bytes] of [
  ['a length of 0', [0, 0, 0, 0]],
  ['a length above every pair', [0xff, 0xff, 0xff, 0xff]],
  ['a value of another type', [0, 0, 0, 1, 0xc0]],
] as const) {
  test(`frames: rejects ${what}`, () => {
    const reader = new TapFrames()
    reader.push(Buffer.from(bytes))
    assert.ok(reader.next() instanceof Error)
  })
}

test('frames: sends a count above 2^32 − 1 as 2^32 − 1', () => {
  const reader = new TapFrames()
  reader.push(countFrame(2 ** 40))
  assert.deepEqual(reader.next(), { kind: 'notShown', pairs: 0xffff_ffff })
})
