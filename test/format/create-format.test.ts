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

/** A megabyte of nested arrays, control sequences and HTML everywhere, and bytes that are not UTF-8. */
const HOSTILE: readonly Pair[] = [
  Buffer.from('['.repeat(500_000) + ']'.repeat(500_000)),
  Buffer.from([0x7b, 0xff, 0xfe, 0x1b, 0x5b, 0x32, 0x4a]),
  Buffer.from('{"\u001b[2J<script>":"\u0007\u202e"}'),
].map((body) => {
  const text = '\x1b]0;owned\x07<script>\u202e'
  const headers: Pair['request']['headers'] = [
    ['Host', text],
    ['Content-Type', 'application/json'],
    ['X-Evil', text],
  ]
  const evil = { headers, body, bodySize: body.length }
  return samplePair({ request: { ...evil, target: `/${text}` }, response: { ...evil, reason: text } })
})

/** Bytes that look like the start of a pair, other JSON, and a truncated pair. */
const FOREIGN = [
  Buffer.alloc(0),
  Buffer.from('{"v":1}'),
  Buffer.from([0xde, 0xff, 0xff]),
  packPair(HOSTILE[0]).subarray(0, 500),
]

const TABLE = { by: 'route', sort: 'requests', json: false, view: null } as const

for (const name of ['text', 'tsv', 'curl', 'routes'] as const) {
  test(`${name}: hostile pairs reach no terminal as control characters`, () => {
    const text = writePairs(name, [...HOSTILE], { verbose: true, top: TABLE })
    assert.match(text, /x1b\]0;own/)
    assert.doesNotMatch(text.replaceAll(/[\n\t]/g, ''), /[\p{Cc}\p{Cf}]/u)
  })
}

for (const name of ['ndjson', 'json', 'har', 'routes', 'openapi'] as const) {
  test(`${name}: hostile pairs yield a valid document`, () => {
    const text = writePairs(name, [...HOSTILE], { top: { ...TABLE, json: true }, examples: true })
    for (const line of name === 'ndjson' ? text.split('\n').slice(0, -1) : [text]) JSON.parse(line)
  })
}

test('every format: a record that is not a pair is an error, and nothing is written for it', () => {
  for (const name of [...OUTPUT_FORMATS, 'routes', 'openapi'] as const) {
    if (name === 'none') continue
    const format = createFormat(name, { ...OPTIONS, top: TABLE })
    for (const record of FOREIGN)
      assert.ok(format.pair(record) instanceof Error, `${name} ${record.toString('latin1')}`)
  }
})
