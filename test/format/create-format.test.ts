import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { createFormat } from '../../src/format/create-format.ts'
import { type FormatOptions, OUTPUT_FORMATS, type OutputFormat } from '../../src/format/output-format.ts'
import type { Pair } from '../../src/pair/pair.ts'
import { pairToJson } from '../../src/pair/to-json.ts'
import { packPair, readPair } from '../../src/pair/unpack.ts'
import { anyPair, samplePair } from '../pair/samples.ts'

const OPTIONS: FormatOptions = { decode: true, color: false, width: 80, verbose: false, version: '0.1.0' }

const gzipped = samplePair({
  response: { headers: [['Content-Encoding', 'gzip']], body: gzipSync('{"ok":true}'), bodySize: 31 },
})

function write(name: OutputFormat, values: Uint8Array[], options: Partial<FormatOptions> = {}): Buffer {
  const format = createFormat(name, { ...OPTIONS, ...options })
  const pieces = values.map((value) => {
    const piece = format.pair(value)
    assert.ok(!(piece instanceof Error), String(piece))
    return Buffer.from(piece as Uint8Array)
  })
  return Buffer.concat([Buffer.from(format.begin()), ...pieces, Buffer.from(format.end())])
}

const writePairs = (name: OutputFormat, pairs: Pair[], options: Partial<FormatOptions> = {}): string =>
  write(name, pairs.map(packPair), options).toString()

test('ndjson: writes one JSON object per line for any pair', () => {
  fc.assert(
    fc.property(fc.array(anyPair, { maxLength: 4 }), (pairs) => {
      const lines = writePairs('ndjson', pairs, { decode: false }).split('\n')
      assert.equal(lines.pop(), '')
      assert.deepEqual(lines, pairs.map(pairToJson))
    }),
  )
})

test('ndjson: writes a UTF-8 body as text, any other in base64', () => {
  const pair = samplePair({
    request: { body: Buffer.from('"été\u0000') },
    response: { body: Buffer.from([0x22, 0xff]) },
  })
  const { request, response } = JSON.parse(writePairs('ndjson', [pair]))
  assert.deepEqual([request.body, request.bodyEncoding], ['"été\u0000', 'utf8'])
  assert.deepEqual([response.body, response.bodyEncoding], ['Iv8=', 'base64'])
})

test('ndjson: keeps a byte order mark in the body', () => {
  const { request } = JSON.parse(writePairs('ndjson', [samplePair({ request: { body: Buffer.from('\ufeffx') } })]))
  assert.equal(request.body, '\ufeffx')
})

test('json: writes one valid array, also without pairs, with one pair per line', () => {
  assert.deepEqual(JSON.parse(writePairs('json', [])), [])
  fc.assert(
    fc.property(fc.array(anyPair, { maxLength: 4 }), (pairs) => {
      const text = writePairs('json', pairs, { decode: false })
      assert.deepEqual(
        JSON.parse(text),
        pairs.map((pair) => JSON.parse(pairToJson(pair))),
      )
      assert.equal(text.split('\n').length, pairs.length + 3)
    }),
  )
})

test('msgpack: returns the same bytes without decoding, plain MessagePack with it', () => {
  const raw = packPair(gzipped)
  assert.equal(createFormat('msgpack', { ...OPTIONS, decode: false }).pair(raw), raw)
  const decoded = readPair(write('msgpack', [raw]))
  assert.ok(!(decoded instanceof Error))
  assert.equal(Buffer.from(decoded.response.body).toString(), '{"ok":true}')
  assert.equal(decoded.response.decoded, true)
})

test('none: writes nothing', () => {
  assert.equal(writePairs('none', [samplePair(), gzipped]), '')
})

test('every format with bodies: decodes only on request and reads both forms of a pair', () => {
  for (const name of ['ndjson', 'json', 'har', 'msgpack'] as const) {
    const form = (value: Uint8Array, decode: boolean) => write(name, [value], { decode }).includes('{\\"ok\\":true}')
    const bare = (value: Uint8Array, decode: boolean) => write(name, [value], { decode }).includes('{"ok":true}')
    const decoded = name === 'msgpack' ? bare : form
    for (const value of [packPair(gzipped), Buffer.from(pairToJson(gzipped))]) {
      assert.equal(decoded(value, true), true, name)
      assert.equal(decoded(value, false), false, name)
    }
  }
})

test('every format: returns an error for what is not a pair and keeps the document intact', () => {
  for (const name of ['text', 'ndjson', 'json', 'har'] as const) {
    const format = createFormat(name, OPTIONS)
    const pair = packPair(samplePair())
    const pieces = [format.begin(), format.pair(Buffer.from('nothing')), format.pair(pair), format.end()]
    assert.ok(pieces[1] instanceof Error)
    const text = pieces.filter((piece) => !(piece instanceof Error)).join('')
    assert.equal(text, write(name, [pair]).toString())
  }
})

test('every format: never throws, whatever the bytes', () => {
  const formats = OUTPUT_FORMATS.map((name) => createFormat(name, { ...OPTIONS, verbose: true }))
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      for (const format of formats) format.pair(bytes)
    }),
  )
})
