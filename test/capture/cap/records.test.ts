import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { RECORD_HEADER_BYTES, RecordReader, RecordWriter } from '../../../src/capture/cap/records.ts'

interface Frame {
  position: number
  linkType: number
  micros: number
  bytes: Uint8Array
}

const FRAME = fc.record(
  {
    position: fc.integer({ min: 0, max: 0xffff }),
    linkType: fc.integer({ min: 0, max: 0xffff }),
    micros: fc.double({ min: 0, max: 2 ** 53, noNaN: true }),
    bytes: fc.uint8Array({ maxLength: 3000 }),
  },
  { noNullPrototype: true },
)

function written(frames: Frame[]): Uint8Array {
  const pieces: Uint8Array[] = []
  const writer = new RecordWriter(3000, (bytes) => pieces.push(bytes.slice()))
  // The buffer is longer than the frame, as cap's is.
  for (const { position, linkType, micros, bytes } of frames) {
    const buffer = new Uint8Array(3000)
    buffer.set(bytes)
    writer.add(position, linkType, micros, buffer, bytes.length)
  }
  writer.flush()
  return Buffer.concat(pieces)
}

test('cap records: reads what was written, in chunks of any size', () => {
  fc.assert(
    fc.property(fc.array(FRAME, { maxLength: 20 }), fc.array(fc.integer({ min: 1, max: 5000 })), (frames, cuts) => {
      const read: Frame[] = []
      const reader = new RecordReader((bytes, view, start) => {
        const data = start + RECORD_HEADER_BYTES
        read.push({
          position: view.getUint16(start + 4, true),
          linkType: view.getUint16(start + 6, true),
          micros: view.getFloat64(start + 8, true),
          bytes: bytes.slice(data, data + view.getUint32(start, true)),
        })
      })
      const stream = written(frames)
      let at = 0
      for (const length of [...cuts, stream.length]) {
        reader.push(stream.subarray(at, at + length))
        at = Math.min(stream.length, at + length)
      }
      assert.deepEqual(read, frames)
    }),
  )
})

test('cap records: a writer that is never flushed writes before its buffer overflows', () => {
  let bytes = 0
  const writer = new RecordWriter(3000, (piece) => {
    bytes += piece.length
  })
  for (let i = 0; i < 1000; i++) writer.add(0, 1, 0, new Uint8Array(3000), 3000)
  assert.ok(bytes > 0)
  writer.flush()
  assert.equal(bytes, 1000 * (RECORD_HEADER_BYTES + 3000))
})

test('cap records: a chunk larger than the buffer is accepted', () => {
  let records = 0
  const reader = new RecordReader(() => {
    records += 1
  })
  const stream = written(
    Array.from({ length: 2000 }, () => ({ position: 0, linkType: 1, micros: 0, bytes: new Uint8Array(2000) })),
  )
  assert.ok(stream.length > 2 ** 21)
  reader.push(stream)
  assert.equal(records, 2000)
})
