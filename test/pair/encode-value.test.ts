import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { encodeValue } from '../../src/pair/encode-value.ts'
import { packPair, unpackPair } from '../../src/pair/unpack.ts'
import { samplePair } from './samples.ts'

const raw = packPair(
  samplePair({ response: { headers: [['Content-Encoding', 'gzip']], body: gzipSync('{"ok":true}'), bodySize: 31 } }),
)

const json = (value: Uint8Array | Error): { response: object } => {
  assert.ok(!(value instanceof Error))
  return JSON.parse(Buffer.from(value).toString()) as { response: object }
}

test('encodeValue: returns MessagePack without decoding uncopied', () => {
  assert.equal(encodeValue(raw, 'msgpack', false), raw)
})

test('encodeValue: changes only body and decoded when it decodes MessagePack', () => {
  const value = encodeValue(raw, 'msgpack', true)
  assert.ok(!(value instanceof Error))
  const [before, after] = [unpackPair(raw), unpackPair(value)]
  assert.ok(!(before instanceof Error) && !(after instanceof Error))
  assert.equal(Buffer.from(after.response.body).toString(), '{"ok":true}')
  const response = { ...before.response, body: after.response.body, decoded: true }
  assert.deepEqual(after, { ...before, response })
})

test('encodeValue: writes JSON with and without decoding', () => {
  const { body: plain, bodyEncoding, decoded, bodySize } = json(encodeValue(raw, 'json', true)).response as never
  assert.deepEqual([plain, bodyEncoding, decoded, bodySize], ['{"ok":true}', 'utf8', true, 31])
  const asSent = json(encodeValue(raw, 'json', false)).response as { body: string }
  assert.deepEqual(Buffer.from(asSent.body, 'base64'), gzipSync('{"ok":true}'))
})

test('encodeValue: returns an error for what is not a pair', () => {
  assert.ok(encodeValue(Buffer.from('c1', 'hex'), 'json', false) instanceof Error)
  assert.ok(encodeValue(raw.subarray(0, raw.length - 1), 'msgpack', true) instanceof Error)
})
