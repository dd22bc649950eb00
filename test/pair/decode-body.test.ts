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

/** A pair whose response has that body and those `Content-Encoding` lines. */
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
  test(`decodeBodies: undoes ${coding}, whatever the bytes`, () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1 }), (bytes) => assertDecoded(encodedPair(encode(bytes), coding), bytes)),
    )
  })
}

test('decodeBodies: undoes deflate without its zlib wrapper', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.integer({ min: 1, max: 9 }), (bytes, level) => {
      assertDecoded(encodedPair(zlib.deflateRawSync(bytes, { level }), 'deflate'), bytes)
    }),
  )
})

test('decodeBodies: a bare deflate stream that begins like a wrapped one is still read', () => {
  // A stored block of 0x1d bytes whose padding bits happen to be set: 0x78 0x9c would be a zlib header's twin, so a
  // header is put before it by hand: 0x08 0x1d is a valid CMF/FLG pair, and as a bare stream a stored block.
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

test('decodeBodies: undoes chains from the last coding to the first, over several lines', () => {
  const codings = fc.array(fc.constantFrom(...Object.keys(ENCODERS)), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(codings, fc.boolean(), (chain, oneLine) => {
      fc.pre(chain.some((coding) => coding !== 'identity'))
      const body = chain.reduce((bytes: Uint8Array, coding) => ENCODERS[coding](bytes), TEXT)
      assertDecoded(encodedPair(body, ...(oneLine ? [chain.join(' ,')] : chain)), TEXT)
    }),
  )
})

test('decodeBodies: header names and codings are read in any case', () => {
  const pair = samplePair({ request: { headers: [['CONTENT-encoding', ' GZip ']], body: zlib.gzipSync(TEXT) } })
  decodeBodies(pair)
  assert.deepEqual(Buffer.from(pair.request.body), TEXT)
  assert.equal(pair.request.decoded, true)
})

test('decodeBodies: several gzip members are one body', () => {
  const parts = [TEXT.subarray(0, 10), TEXT.subarray(10)]
  assertDecoded(encodedPair(Buffer.concat(parts.map((part) => zlib.gzipSync(part))), 'gzip'), TEXT)
})

test('decodeBodies: nothing to do for an empty body, identity, or no coding', () => {
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

test('decodeBodies: a body that is decoded already is left alone', () => {
  const pair = samplePair({ response: { headers: [['Content-Encoding', 'gzip']], decoded: true } })
  decodeBodies(pair)
  assert.deepEqual(pair, samplePair({ response: { headers: [['Content-Encoding', 'gzip']], decoded: true } }))
})

test('decodeBodies: an unknown coding ships as sent, flagged', () => {
  for (const coding of ['compress', 'aws-chunked', 'gzip, nonsense', '*']) assertAsSent(encodedPair(TEXT, coding))
})

test('decodeBodies: truncated bodies ship as sent, flagged', () => {
  for (const [coding, encode] of Object.entries(ENCODERS)) {
    if (coding === 'identity') continue
    const body = encode(Buffer.concat([TEXT, TEXT]))
    for (let length = 1; length < body.length; length++) assertAsSent(encodedPair(body.subarray(0, length), coding))
  }
})

test('decodeBodies: garbage never throws', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1 }), fc.constantFrom(...Object.keys(ENCODERS)), (bytes, coding) => {
      const pair = encodedPair(bytes, coding)
      decodeBodies(pair)
      if (!pair.response.decoded) assert.equal(pair.response.body, bytes)
    }),
  )
})

test('decodeBodies: a chain damaged inside ships wholly as sent', () => {
  assertAsSent(encodedPair(zlib.gzipSync(Buffer.from('not brotli')), 'br, gzip'))
})

test('decodeBodies: bombs ship as sent, flagged, with every coding', () => {
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

test('decodeBodies: the limit in bytes is exact', () => {
  const limits = { bytes: 100_000, ratio: 1e6 }
  const exact = encodedPair(zlib.gzipSync(Buffer.alloc(100_000)), 'gzip')
  decodeBodies(exact, limits)
  assert.equal(exact.response.body.length, 100_000)
  assertAsSent(encodedPair(zlib.gzipSync(Buffer.alloc(100_001)), 'gzip'), limits)
})

test('decodeBodies: the ratio bounds what a small body may become, above 64 KiB', () => {
  const small = encodedPair(zlib.gzipSync(Buffer.alloc(64 * 1024)), 'gzip')
  assert.ok(small.response.body.length * DECODE_LIMITS.ratio < 64 * 1024)
  decodeBodies(small)
  assert.equal(small.response.decoded, true)
  assertAsSent(encodedPair(zlib.gzipSync(Buffer.alloc(1024 * 1024)), 'gzip'))
})

test('decodeBodies: long chains of codings are not followed', () => {
  const chain = Array.from({ length: 6 }, () => 'gzip')
  const body = chain.reduce((bytes: Uint8Array) => zlib.gzipSync(bytes), TEXT)
  assertAsSent(encodedPair(body, chain.join()))
})

test('decodeBodies: each half is flagged by its name, once', () => {
  const headers: Header[] = [['Content-Encoding', 'gzip']]
  const pair = samplePair({ request: { headers, body: TEXT }, response: { headers, body: TEXT } })
  decodeBodies(pair)
  decodeBodies(pair)
  assert.deepEqual(pair.flags, [REQUEST_NOT_DECODED, RESPONSE_NOT_DECODED])
})
