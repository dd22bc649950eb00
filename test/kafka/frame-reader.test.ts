import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FrameReader } from '../../src/kafka/frame-reader.ts'

const MAX_BYTES = 1000

function frame(body: Uint8Array): Buffer {
  const length = Buffer.alloc(4)
  length.writeInt32BE(body.length)
  return Buffer.concat([length, body])
}

const frames = fc.array(fc.uint8Array({ minLength: 4, maxLength: 300 }).map(frame), { maxLength: 20 })
const cuts = fc.array(fc.nat(400), { maxLength: 60, size: 'max' })

test('frame reader: returns whole frames in order, however the bytes are split', () => {
  fc.assert(
    fc.property(frames, cuts, (sent, sizes) => {
      const reader = new FrameReader(MAX_BYTES)
      let rest = Buffer.concat(sent)
      const received: Buffer[] = []
      for (const size of sizes) {
        received.push(...reader.push(Buffer.from(rest.subarray(0, size))))
        rest = rest.subarray(size)
      }
      received.push(...reader.push(Buffer.from(rest)))
      assert.deepEqual(received, sent)
    }),
  )
})

test('frame reader: accepts a byte at a time', () => {
  const reader = new FrameReader(MAX_BYTES)
  const sent = frame(Buffer.from('correlated'))
  const received = [...sent].flatMap((byte) => reader.push(Buffer.from([byte])))
  assert.deepEqual(received, [sent])
})

test('frame reader: rejects an impossible length as soon as it is read', () => {
  const lengths = [0, 1, 3, -1, -(2 ** 31), 2 ** 31 - 1, MAX_BYTES - 3]
  for (const length of lengths) {
    const bytes = Buffer.alloc(4)
    bytes.writeInt32BE(length)
    const announced = { name: 'BadResponseError', message: `the broker announces a response of ${length} bytes` }
    assert.throws(() => new FrameReader(MAX_BYTES).push(bytes), announced)
    const cut = new FrameReader(MAX_BYTES)
    assert.deepEqual(cut.push(bytes.subarray(0, 3)), [])
    assert.throws(() => cut.push(bytes.subarray(3)), announced)
  }
})

test('frame reader: accepts the largest frame', () => {
  const largest = frame(Buffer.alloc(MAX_BYTES - 4, 7))
  assert.deepEqual(new FrameReader(MAX_BYTES).push(largest), [largest])
})

test('frame reader: recognises a TLS record', () => {
  for (const type of [0x15, 0x16]) {
    const record = Buffer.from([type, 3, 3, 0, 2, 2, 80])
    assert.throws(() => new FrameReader(MAX_BYTES).push(record), { message: 'the port speaks TLS' })
  }
})
