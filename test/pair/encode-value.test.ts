import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { valueEncoder } from '../../src/pair/encode-value.ts'
import { packPair, unpackPair } from '../../src/pair/unpack.ts'
import { samplePair } from './samples.ts'

const raw = packPair(
  samplePair({ response: { headers: [['Content-Encoding', 'gzip']], body: gzipSync('{"ok":true}'), bodySize: 31 } }),
)

const json = (value: Uint8Array | Error): { response: object } => {
  assert.ok(!(value instanceof Error))
  return JSON.parse(Buffer.from(value).toString()) as { response: object }
}

test('valueEncoder: MessagePack without decoding is what an assembler encoded', () => {
  assert.equal(valueEncoder('msgpack', false), null)
})

test('valueEncoder: changes only body and decoded when it decodes MessagePack', () => {
  const value = valueEncoder('msgpack', true)!(raw)
  assert.ok(!(value instanceof Error))
  const [before, after] = [unpackPair(raw), unpackPair(value)]
  assert.ok(!(before instanceof Error) && !(after instanceof Error))
  assert.equal(Buffer.from(after.response.body).toString(), '{"ok":true}')
  const response = { ...before.response, body: after.response.body, decoded: true }
  assert.deepEqual(after, { ...before, response })
})

test('valueEncoder: writes JSON with and without decoding', () => {
  const { body: plain, bodyEncoding, decoded, bodySize } = json(valueEncoder('json', true)!(raw)).response as never
  assert.deepEqual([plain, bodyEncoding, decoded, bodySize], ['{"ok":true}', 'utf8', true, 31])
  const asSent = json(valueEncoder('json', false)!(raw)).response as { body: string }
  assert.deepEqual(Buffer.from(asSent.body, 'base64'), gzipSync('{"ok":true}'))
})

test('valueEncoder: returns an error for what is not a pair', () => {
  assert.ok(valueEncoder('json', false)!(Buffer.from('c1', 'hex')) instanceof Error)
  assert.ok(valueEncoder('msgpack', true)!(raw.subarray(0, raw.length - 1)) instanceof Error)
})
