import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FrameBytes } from '../../../src/capture/intake/frame-bytes.ts'
import { allocateRing, FULL, RingProducer } from '../../../src/ring/byte-ring.ts'
import { Doorbell } from '../../../src/ring/doorbell.ts'
import { propertyRuns } from '../../support/property-runs.ts'

const SIZE = 4096
/** Lengths around the one from which frames are copied differently. */
const lengths = fc.oneof(fc.nat(100), fc.integer({ min: 680, max: 720 }), fc.nat(2000))

const newRing = (): RingProducer => new RingProducer(allocateRing(65_536), new Doorbell(Doorbell.allocate()))

/** Bytes that differ from their neighbours, at an offset of their memory. */
function sourceAt(byteOffset: number): Uint8Array {
  const bytes = new Uint8Array(new ArrayBuffer(SIZE + byteOffset), byteOffset, SIZE)
  bytes.forEach((_, at) => {
    bytes[at] = (at * 37 + (at >> 8)) & 0xff
  })
  return bytes
}

test('frame bytes: model: copies a frame from any memory, and modifies no other word of the ring', () => {
  const sources = [0, 8, 3].map(sourceAt)
  const ring = newRing()
  // One instance, whose memory changes from frame to frame.
  const frame = new FrameBytes()
  const record = ring.tryClaim(4000)
  assert.notEqual(record, FULL)
  const property = fc.property(fc.constantFrom(...sources), fc.nat(1000), lengths, (source, start, length) => {
    ring.bytes.fill(0xee, record, record + 4000)
    frame.use(source)
    const to = record + 64 + (start & 7)
    frame.copy(start, start + length, ring, to)
    const expected = Buffer.alloc(4000, 0xee)
    expected.set(source.subarray(start, start + length), to - record)
    const [first, last] = [(to - record) & ~7, (to - record + length + 7) & ~7]
    const copied = Buffer.from(ring.bytes.slice(record, record + 4000))
    // The words at both ends may contain further bytes of the source.
    for (const [from, end] of [
      [0, first],
      [to - record, to - record + length],
      [last, 4000],
    ] as const) {
      assert.ok(copied.subarray(from, end).equals(expected.subarray(from, end)), `${from} to ${end}`)
    }
  })
  fc.assert(property, { numRuns: propertyRuns(2000) })
})

test('frame bytes: copies the last bytes of a memory whose length is no multiple of eight', () => {
  const source = sourceAt(0).subarray(0, 1005)
  const ring = newRing()
  const record = ring.tryClaim(2000)
  const frame = new FrameBytes()
  frame.use(source)
  for (const start of [0, 5, 990, 1004]) {
    const to = record + (start & 7)
    frame.copy(start, 1005, ring, to)
    assert.ok(
      Buffer.from(ring.bytes.slice(to, to + 1005 - start)).equals(Buffer.from(source.subarray(start))),
      `${start}`,
    )
  }
})
