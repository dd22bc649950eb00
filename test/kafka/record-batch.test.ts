import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import fc from 'fast-check'
import { RecordBatch, readVarint, varintBytes, writeVarint } from '../../src/kafka/record-batch.ts'

const require = createRequire(import.meta.url)

interface DecodedRecord {
  key: Buffer | null
  value: Buffer
  timestamp: string
  offset: string
  headers: Record<string, Buffer>
}

/** kafkajs's decoder: an independent implementation of the same specification. */
const Decoder = require('kafkajs/src/protocol/decoder.js') as new (bytes: Buffer) => object
const decodeBatch = require('kafkajs/src/protocol/recordBatch/v0/decoder.js') as (
  decoder: object,
) => Promise<{ records: DecodedRecord[]; maxTimestamp: string; lastOffsetDelta: number }>

const decode = (bytes: Uint8Array) => decodeBatch(new Decoder(Buffer.from(bytes)))

/** CRC-32C, bit by bit (RFC 3720 appendix B.4). */
function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0)
  }
  return (crc ^ 0xffffffff) >>> 0
}

const NO_HEADERS = Uint8Array.of(0)
const record = fc.record({
  value: fc.uint8Array({ maxLength: 300 }),
  key: fc.option(fc.uint8Array({ minLength: 1, maxLength: 8 })),
  timestampMs: fc.integer({ min: 0, max: 10_000_000 }),
})
const records = fc.array(record, { minLength: 1, maxLength: 200 })
const BASE_MS = 1_795_000_000_000

function encode(all: readonly { value: Uint8Array; key: Uint8Array | null; timestampMs: number }[]): RecordBatch {
  const batch = new RecordBatch()
  for (const [index, { value, key, timestampMs }] of all.entries()) {
    const shifted = Uint8Array.of(1, 2, 3, ...value, 4)
    batch.append(shifted, 3, value.length, key, NO_HEADERS, BASE_MS + timestampMs, index)
  }
  return batch
}

test('record batch: kafkajs decodes what was encoded, with the time of the first record', async () => {
  await fc.assert(
    fc.asyncProperty(records, async (all) => {
      const { records: read, lastOffsetDelta } = await decode(encode(all).seal())
      assert.equal(lastOffsetDelta, all.length - 1)
      assert.deepEqual(
        read.map(({ key, value, timestamp, offset }) => [key, value, timestamp, offset]),
        all.map(({ key, value }, index) => [
          key === null ? null : Buffer.from(key),
          Buffer.from(value),
          String(BASE_MS + all[0].timestampMs),
          String(index),
        ]),
      )
    }),
    { numRuns: 50 },
  )
})

test('record batch: length and checksum cover the bytes that follow them', () => {
  fc.assert(
    fc.property(records, (all) => {
      const bytes = encode(all).seal()
      const view = new DataView(bytes.buffer, bytes.byteOffset)
      assert.equal(view.getInt32(8), bytes.length - 12)
      assert.equal(view.getUint32(17), crc32c(bytes.subarray(21)))
    }),
    { numRuns: 20 },
  )
})

test('record batch: the header of compressed records has their checksum and codec', () => {
  const batch = encode([{ value: new Uint8Array(10), key: null, timestampMs: 0 }])
  const compressed = Uint8Array.of(9, 8, 7)
  const whole = Buffer.concat([batch.sealCompressed(compressed, 3), compressed])
  assert.equal(whole.readInt16BE(21), 3)
  assert.equal(whole.readUInt32BE(17), crc32c(whole.subarray(21)))
  assert.equal(whole.readInt32BE(8), whole.length - 12)
})

test('record batch: two halves contain the records of the whole, in order, with offsets from 0', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(record, { minLength: 2, maxLength: 300 }), async (all) => {
      const older = encode(all)
      older.heldBytes = 1000
      const newer = older.split()
      assert.equal(older.count + newer.count, all.length)
      assert.ok(older.count > 0 && newer.count > 0)
      assert.equal(older.heldBytes + newer.heldBytes, 1000)
      const first = await decode(older.seal())
      const second = await decode(newer.seal())
      assert.deepEqual(
        [...first.records, ...second.records].map(({ value }) => value),
        all.map(({ value }) => Buffer.from(value)),
      )
      assert.deepEqual(
        second.records.map(({ offset }) => offset),
        second.records.map((_, index) => String(index)),
      )
    }),
    { numRuns: 50 },
  )
})

test('record batch: records without a time have none, in both halves', async () => {
  const record = { value: Uint8Array.of(1), key: null, timestampMs: 5 }
  const older = encode([record, record, record])
  assert.equal(older.hasTimestamp, true)
  older.clearTimestamp()
  const newer = older.split()
  for (const batch of [older, newer]) {
    assert.equal(batch.hasTimestamp, false)
    const { records: read, maxTimestamp } = await decode(batch.seal())
    assert.deepEqual(new Set([maxTimestamp, ...read.map(({ timestamp }) => timestamp)]), new Set(['-1']))
  }
})

test('record batch: is reusable after `clear`', async () => {
  const batch = encode([{ value: new Uint8Array(500), key: null, timestampMs: 5 }])
  batch.clear()
  batch.append(Uint8Array.of(1), 0, 1, null, NO_HEADERS, BASE_MS, 0)
  const { records: read, maxTimestamp } = await decode(batch.seal())
  assert.equal(read.length, 1)
  assert.equal(maxTimestamp, String(BASE_MS))
})

test('varint: a written value reads back, in as many bytes as computed', () => {
  const bytes = new Uint8Array(8)
  fc.assert(
    fc.property(fc.integer(), (value) => {
      assert.equal(writeVarint(bytes, 1, value), 1 + varintBytes(value))
      assert.equal(readVarint(bytes, 1), value)
    }),
  )
})
