import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Packr } from 'msgpackr'
import { JsonWriter } from '../../src/pair/json-writer.ts'
import type { Header, Pair } from '../../src/pair/pair.ts'
import { pairToJson } from '../../src/pair/to-json.ts'
import { packPair } from '../../src/pair/unpack.ts'
import { anyPair, samplePair } from './samples.ts'

const NOTHING = Buffer.alloc(0)

/** One writer for all tests, as in production, so that state left by one pair would show in the next. */
const writer = new JsonWriter(false)
const leaving = new JsonWriter(true)

const written = (raw: Uint8Array, by = writer): string | undefined => {
  const json = by.write(raw, NOTHING, NOTHING)
  return json === undefined ? undefined : Buffer.from(json).toString()
}

const pack = (value: unknown): Uint8Array => new Packr({ useRecords: false, variableMapSize: true }).pack(value)

test('JsonWriter: writes what pairToJson writes, for any pair', () => {
  fc.assert(
    fc.property(anyPair, (pair) => assert.equal(written(packPair(pair)), pairToJson(pair))),
    { numRuns: 500 },
  )
})

test('JsonWriter: escapes every character in heads and bodies', () => {
  const text = `${String.fromCharCode(...Array(0x300).keys())}\u2028\ud7ff\ue000\uffff\u{1f600}`
  const pair = samplePair({ request: { target: text, body: Buffer.from(text) } })
  assert.equal(written(packPair(pair)), pairToJson(pair))
})

test('JsonWriter: copies strings, bodies and lists of every length class', () => {
  for (const length of [0, 15, 16, 31, 32, 255, 256, 65_535, 65_536]) {
    const headers = Array.from({ length: Math.min(length, 300) }, (): Header => ['a', 'b'])
    const binary = Buffer.alloc(length, 0xff)
    const pair = samplePair({ request: { target: 'é'.repeat(length), headers, body: binary } })
    assert.equal(written(packPair(pair)), pairToJson(pair), `length ${length}`)
  }
})

test('JsonWriter: copies integers of every size in every MessagePack form', () => {
  const edges = [0, 1, 9, 10, 99, 127, 128, 255, 256, 65_535, 65_536, 99_999_999, 100_000_000, 2 ** 32 - 1]
  for (const wireSize of edges) {
    const pair = samplePair({ request: { wireSize } })
    assert.equal(written(packPair(pair)), pairToJson(pair), String(wireSize))
  }
  fc.assert(
    fc.property(fc.maxSafeNat(), (micros) => {
      const pair = samplePair({ requestStartMicros: micros })
      assert.equal(written(packPair(pair)), pairToJson(pair))
      const unsigned = Buffer.from(packPair(pair))
      unsigned[unsigned.indexOf('requestStartMicros') + 18] = 0xcf
      assert.equal(written(unsigned), pairToJson(pair))
    }),
  )
})

test('JsonWriter: writes the given text around the object', () => {
  assert.equal(
    String(writer.write(packPair(samplePair()), Buffer.from(',\n'), Buffer.from('\n'))),
    `,\n${pairToJson(samplePair())}\n`,
  )
})

test('JsonWriter: returns undefined for encoded messages, header names in any case', () => {
  const encoded = (part: 'request' | 'response', name: string, value = 'gzip'): Uint8Array =>
    packPair(
      samplePair({
        [part]: {
          headers: [
            ['Host', 'x'],
            [name, value],
          ] as Header[],
        },
      }),
    )
  for (const name of ['Content-Encoding', 'content-encoding', 'CONTENT-ENCODING', 'Transfer-Encoding']) {
    for (const part of ['request', 'response'] as const) {
      assert.equal(written(encoded(part, name), leaving), undefined)
      assert.notEqual(written(encoded(part, name)), undefined)
    }
  }
  assert.equal(written(encoded('response', 'Transfer-Encoding', 'gzip, chunked'), leaving), undefined)
  assert.notEqual(written(encoded('response', 'Transfer-Encoding', 'Chunked'), leaving), undefined)
  assert.notEqual(written(encoded('request', 'Content-Encodinh'), leaving), undefined)
  assert.notEqual(written(packPair(samplePair()), leaving), undefined)
})

test('JsonWriter: returns undefined for any other layout', () => {
  const pair = samplePair()
  const { v, id, ...rest } = pair
  const others: Record<string, unknown> = {
    'another order': { id, v, ...rest },
    'a key more': { ...pair, later: 1 },
    'another version': { ...pair, v: 2 },
    'a float': { ...pair, requestStartMicros: 1.5 },
    'a negative time': { ...pair, requestStartMicros: -1n },
    'a time beyond exact numbers': { ...pair, requestStartMicros: 2n ** 53n },
    'a body of text': { ...pair, request: { ...pair.request, body: 'text' } },
    'a list': [pair],
  }
  for (const [name, value] of Object.entries(others)) assert.equal(written(pack(value)), undefined, name)
})

test('JsonWriter: returns undefined for text that is not UTF-8', () => {
  const raw = Buffer.from(packPair(samplePair({ request: { target: '/xyz' } })))
  raw[raw.indexOf('/xyz') + 1] = 0xff
  assert.equal(written(raw), undefined)
})

test('JsonWriter: returns undefined for a pair cut anywhere or followed by bytes', () => {
  const raw = packPair(samplePair({ request: { body: Buffer.from([0xff, 0xfe]) } }))
  for (let length = 0; length < raw.length; length++) assert.equal(written(raw.subarray(0, length)), undefined)
  assert.equal(written(Buffer.concat([raw, NOTHING, Buffer.from([0])])), undefined)
})

test('JsonWriter: writes valid JSON or nothing for damaged bytes', () => {
  const raw = packPair(samplePair())
  fc.assert(
    fc.property(fc.nat({ max: raw.length - 1 }), fc.nat({ max: 255 }), (at, byte) => {
      const bytes = Uint8Array.from(raw)
      bytes[at] = byte
      const json = written(bytes)
      if (json !== undefined) assert.deepEqual(Object.keys(JSON.parse(json) as Pair), Object.keys(samplePair()))
    }),
    { numRuns: 2000 },
  )
})
