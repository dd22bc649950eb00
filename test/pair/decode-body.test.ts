import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as zlib from 'node:zlib'
import fc from 'fast-check'
import { DECODE_LIMITS, decodeBodies, REQUEST_NOT_DECODED, RESPONSE_NOT_DECODED } from '../../src/pair/decode-body.ts'
import type { Header, Pair } from '../../src/pair/pair.ts'
import { samplePair } from './samples.ts'

const TEXT = Buffer.from(JSON.stringify({ items: ['shoe', 'hat', 'été'] }))

const zstdCompress = (zlib as { zstdCompressSync?: (bytes: Uint8Array) => Buffer }).zstdCompressSync

const ENCODERS: Record<string, (bytes: Uint8Array) => Uint8Array> = {
  gzip: (bytes) => zlib.gzipSync(bytes),
  'x-gzip': (bytes) => zlib.gzipSync(bytes),
  deflate: (bytes) => zlib.deflateSync(bytes),
  br: (bytes) => zlib.brotliCompressSync(bytes),
  identity: (bytes) => bytes,
  ...(zstdCompress === undefined ? {} : { zstd: zstdCompress }),
}

/** A pair whose response has this body and these `Content-Encoding` lines. */
function encodedPair(body: Uint8Array, ...codings: string[]): Pair {
  const headers = codings.map((coding): Header => ['Content-Encoding', coding])
  return samplePair({ response: { headers, body, bodySize: body.length } })
}

function assertDecoded(pair: Pair, expected: Uint8Array): void {
  const sentSize = pair.response.bodySize
  decodeBodies(pair)
  assert.deepEqual(Buffer.from(pair.response.body), Buffer.from(expected))
  assert.equal(pair.response.decoded, true)
  assert.equal(pair.response.bodySize, sentSize)
  assert.deepEqual(pair.flags, [])
}

function assertAsSent(pair: Pair, limits = DECODE_LIMITS): void {
  const sent = pair.response.body
  decodeBodies(pair, limits)
  assert.equal(pair.response.body, sent)
  assert.equal(pair.response.decoded, false)
  assert.deepEqual(pair.flags, [RESPONSE_NOT_DECODED])
}

for (const [coding, encode] of Object.entries(ENCODERS)) {
  if (coding === 'identity') continue
  test(`decodeBodies: undoes ${coding} of any bytes`, () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1 }), (bytes) => assertDecoded(encodedPair(encode(bytes), coding), bytes)),
    )
  })
}

test('decodeBodies: undoes deflate without the zlib wrapper', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.integer({ min: 1, max: 9 }), (bytes, level) => {
      assertDecoded(encodedPair(zlib.deflateRawSync(bytes, { level }), 'deflate'), bytes)
    }),
  )
})

test('decodeBodies: reads a bare deflate stream that begins like a wrapped one', () => {
  // 0x08 0x1d is a valid CMF/FLG pair of a zlib header; in a bare stream, it begins a stored block whose padding bits
  // are set.
  const length = 0x1d
  const bytes = Buffer.alloc(length, 'a')
  const block = Buffer.concat([
    Buffer.from([0x08, length, 0x00, ~length & 0xff, 0xff]),
    bytes,
    Buffer.from([0x03, 0x00]),
  ])
  assert.equal(((block[0] << 8) | block[1]) % 31, 0)
  assertDecoded(encodedPair(block, 'deflate'), bytes)
})

test('decodeBodies: undoes a chain over several lines, the last coding first', () => {
  const codings = fc.array(fc.constantFrom(...Object.keys(ENCODERS)), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(codings, fc.boolean(), (chain, oneLine) => {
      fc.pre(chain.some((coding) => coding !== 'identity'))
      const body = chain.reduce((bytes: Uint8Array, coding) => ENCODERS[coding](bytes), TEXT)
      assertDecoded(encodedPair(body, ...(oneLine ? [chain.join(' ,')] : chain)), TEXT)
    }),
  )
})

test('decodeBodies: ignores the case of header names and codings', () => {
  const pair = samplePair({ request: { headers: [['CONTENT-encoding', ' GZip ']], body: zlib.gzipSync(TEXT) } })
  decodeBodies(pair)
  assert.deepEqual(Buffer.from(pair.request.body), TEXT)
  assert.equal(pair.request.decoded, true)
})

test('decodeBodies: undoes codings of Transfer-Encoding other than the final chunked, before those of Content-Encoding', () => {
  const gzip = zlib.gzipSync(TEXT)
  const brotliInGzip = zlib.gzipSync(zlib.brotliCompressSync(TEXT))
  const sent = (body: Uint8Array, ...headers: Header[]): Pair =>
    samplePair({ response: { headers, body, bodySize: body.length } })
  assertDecoded(sent(gzip, ['Transfer-Encoding', 'gzip, chunked']), TEXT)
  assertDecoded(sent(gzip, ['transfer-encoding', 'GZIP'], ['Transfer-Encoding', 'Chunked']), TEXT)
  assertDecoded(sent(gzip, ['Transfer-Encoding', 'gzip']), TEXT)
  assertDecoded(sent(brotliInGzip, ['Transfer-Encoding', 'gzip, chunked'], ['Content-Encoding', 'br']), TEXT)
  assertAsSent(sent(TEXT, ['Transfer-Encoding', 'xyz, chunked']))
  assertAsSent(sent(TEXT, ['Transfer-Encoding', 'chunked, gzip']))
  const plain = sent(TEXT, ['Transfer-Encoding', 'chunked'])
  decodeBodies(plain)
  assert.equal(plain.response.decoded, false)
  assert.deepEqual(plain.flags, [])
})

test('decodeBodies: reads several gzip members as one body', () => {
  const parts = [TEXT.subarray(0, 10), TEXT.subarray(10)]
  assertDecoded(encodedPair(Buffer.concat(parts.map((part) => zlib.gzipSync(part))), 'gzip'), TEXT)
})

test('decodeBodies: leaves an empty body, identity and no coding unchanged', () => {
  for (const pair of [
    encodedPair(Buffer.alloc(0), 'gzip'),
    encodedPair(TEXT, 'identity'),
    encodedPair(TEXT),
    encodedPair(TEXT, ''),
  ]) {
    decodeBodies(pair)
    assert.equal(pair.response.decoded, false)
    assert.deepEqual(pair.flags, [])
  }
})

test('decodeBodies: leaves a decoded body unchanged', () => {
  const pair = samplePair({ response: { headers: [['Content-Encoding', 'gzip']], decoded: true } })
  decodeBodies(pair)
  assert.deepEqual(pair, samplePair({ response: { headers: [['Content-Encoding', 'gzip']], decoded: true } }))
})

test('decodeBodies: leaves an unknown coding as sent, with a flag', () => {
  for (const coding of ['compress', 'aws-chunked', 'gzip, nonsense', '*']) assertAsSent(encodedPair(TEXT, coding))
})

test('decodeBodies: leaves a truncated body as sent, with a flag', () => {
  for (const [coding, encode] of Object.entries(ENCODERS)) {
    if (coding === 'identity') continue
    const body = encode(Buffer.concat([TEXT, TEXT]))
    for (let length = 1; length < body.length; length++) assertAsSent(encodedPair(body.subarray(0, length), coding))
  }
})

test('decodeBodies: never throws on garbage', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1 }), fc.constantFrom(...Object.keys(ENCODERS)), (bytes, coding) => {
      const pair = encodedPair(bytes, coding)
      decodeBodies(pair)
      if (!pair.response.decoded) assert.equal(pair.response.body, bytes)
    }),
  )
})

test('decodeBodies: leaves a body as sent if any of its codings is damaged', () => {
  assertAsSent(encodedPair(zlib.gzipSync(Buffer.from('not brotli')), 'br, gzip'))
})

test('decodeBodies: leaves a decompression bomb of any coding as sent, with a flag', () => {
  const zeros = Buffer.alloc(DECODE_LIMITS.bytes + 1)
  for (const [coding, encode] of Object.entries(ENCODERS)) {
    if (coding !== 'identity')
      assertAsSent(encodedPair(encode(zeros), coding), { bytes: DECODE_LIMITS.bytes, ratio: 1e6 })
  }
  assertAsSent(encodedPair(zlib.gzipSync(zlib.gzipSync(zeros)), 'gzip, gzip'), {
    bytes: DECODE_LIMITS.bytes,
    ratio: 1e6,
  })
})

test('decodeBodies: applies the limit in bytes exactly', () => {
  const limits = { bytes: 100_000, ratio: 1e6 }
  const exact = encodedPair(zlib.gzipSync(Buffer.alloc(100_000)), 'gzip')
  decodeBodies(exact, limits)
  assert.equal(exact.response.body.length, 100_000)
  assertAsSent(encodedPair(zlib.gzipSync(Buffer.alloc(100_001)), 'gzip'), limits)
})

test('decodeBodies: applies the ratio above 64 KiB', () => {
  const small = encodedPair(zlib.gzipSync(Buffer.alloc(64 * 1024)), 'gzip')
  assert.ok(small.response.body.length * DECODE_LIMITS.ratio < 64 * 1024)
  decodeBodies(small)
  assert.equal(small.response.decoded, true)
  assertAsSent(encodedPair(zlib.gzipSync(Buffer.alloc(1024 * 1024)), 'gzip'))
})

test('decodeBodies: does not follow long chains of codings', () => {
  const chain = Array.from({ length: 6 }, () => 'gzip')
  const body = chain.reduce((bytes: Uint8Array) => zlib.gzipSync(bytes), TEXT)
  assertAsSent(encodedPair(body, chain.join()))
})

test('decodeBodies: flags request and response by name, once each', () => {
  const headers: Header[] = [['Content-Encoding', 'gzip']]
  const pair = samplePair({ request: { headers, body: TEXT }, response: { headers, body: TEXT } })
  decodeBodies(pair)
  decodeBodies(pair)
  assert.deepEqual(pair.flags, [REQUEST_NOT_DECODED, RESPONSE_NOT_DECODED])
})
