import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import fc from 'fast-check'
import { EventHeaders } from '../../../src/ship/kafka/event-headers.ts'

const require = createRequire(import.meta.url)
const Decoder = require('kafkajs/src/protocol/decoder.js') as new (
  bytes: Buffer,
) => {
  readVarIntArray(read: unknown): { key: string; value: Buffer }[]
}
const readHeader = require('kafkajs/src/protocol/recordBatch/header/v0/decoder.js') as unknown

const headersOf = ({ bytes }: EventHeaders): Record<string, string> =>
  Object.fromEntries(
    new Decoder(Buffer.from(bytes)).readVarIntArray(readHeader).map(({ key, value }) => [key, value.toString()]),
  )

const text = (value: string): Uint8Array => new TextEncoder().encode(value)

test('event headers: only id and time change from pair to pair', () => {
  const headers = new EventHeaders('/interceptor/n', 'application/json')
  fc.assert(
    fc.property(fc.stringMatching(/^[0-9a-f]{1,40}$/), fc.integer({ min: 0, max: 4e15 }), (id, micros) => {
      headers.write(text(`--${id}`), 2, id.length, micros)
      const seconds = new Date(Math.floor(micros / 1e6) * 1000).toISOString().slice(0, 19)
      assert.deepEqual(headersOf(headers), {
        ce_specversion: '1.0',
        ce_type: 'dev.interceptor.http.pair.v1',
        ce_source: '/interceptor/n',
        'content-type': 'application/json',
        ce_id: id,
        ce_time: `${seconds}.${String(micros % 1e6).padStart(6, '0')}Z`,
      })
    }),
  )
})

test('event headers: reuse their memory while ids have one length', () => {
  const headers = new EventHeaders('/interceptor/n', 'application/json')
  headers.write(text('a1'), 0, 2, 0)
  const { bytes } = headers
  headers.write(text('b2'), 0, 2, 1e15)
  assert.equal(headers.bytes, bytes)
  assert.equal(headersOf(headers)['ce_id'], 'b2')
  headers.write(text('c34'), 0, 3, 1e15)
  assert.equal(headersOf(headers)['ce_id'], 'c34')
})

test('event headers: a time outside of the calendar becomes the beginning of 1970, with its fraction', () => {
  const headers = new EventHeaders('/interceptor/n', 'application/json')
  for (const micros of [-1_500_000, 253_402_300_800_000_000 + 500_000]) {
    headers.write(text('a1'), 0, 2, micros)
    assert.equal(headersOf(headers)['ce_time'], '1970-01-01T00:00:00.500000Z')
  }
})
