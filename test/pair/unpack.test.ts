import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Packr } from 'msgpackr'
import { needs } from '../../rig/needs.ts'
import type { Pair } from '../../src/pair/pair.ts'
import { pairToJson } from '../../src/pair/to-json.ts'
import { packPair, readPair, unpackPair } from '../../src/pair/unpack.ts'
import { asPythonReads, readWithPython } from './python.ts'
import { anyPair, samplePair } from './samples.ts'

/** Converts bodies to text, so that a Buffer and a Uint8Array of the same bytes compare equal. */
const comparable = (pair: Pair | Error): unknown => {
  assert.ok(!(pair instanceof Error), String(pair))
  const body = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
  return {
    ...pair,
    request: { ...pair.request, body: body(pair.request.body) },
    response: { ...pair.response, body: body(pair.response.body) },
  }
}

/** A pair with some parts replaced, for values that are not pairs. */
const broken = (changes: object): Uint8Array =>
  new Packr({ useRecords: false, moreTypes: true }).pack({ ...samplePair(), ...changes })

test('unpackPair: reads back what packPair wrote, for any pair', () => {
  fc.assert(
    fc.property(anyPair, (pair) => {
      assert.deepEqual(comparable(unpackPair(packPair(pair))), comparable(pair))
    }),
  )
})

test('unpackPair: keeps the order of the keys', () => {
  const pair = unpackPair(packPair(samplePair()))
  assert.ok(!(pair instanceof Error))
  assert.deepEqual(Object.keys(pair), Object.keys(samplePair()))
  assert.deepEqual(Object.keys(pair.request), Object.keys(samplePair().request))
})

test('unpackPair: reads unsigned 64-bit times as exact numbers', () => {
  const bytes = Buffer.from(packPair(samplePair({ requestStartMicros: Number.MAX_SAFE_INTEGER })))
  const signed = bytes.indexOf(Buffer.from('d3001fffffffffffff', 'hex'))
  assert.notEqual(signed, -1)
  bytes[signed] = 0xcf
  const pair = unpackPair(bytes)
  assert.ok(!(pair instanceof Error))
  assert.equal(pair.requestStartMicros, Number.MAX_SAFE_INTEGER)
})

test('unpackPair: keeps keys added by a newer agent', () => {
  const pair = unpackPair(broken({ later: 1 }))
  assert.ok(!(pair instanceof Error))
  assert.equal((pair as Pair & { later?: number }).later, 1)
})

test('unpackPair: returns an error that names both versions for another version', () => {
  const pair = unpackPair(broken({ v: 2 }))
  assert.ok(pair instanceof Error)
  assert.match(pair.message, /version 2.*version 1/)
})

test('unpackPair: returns an error that names a missing or mistyped part', () => {
  const { request } = samplePair()
  const cases: [changes: object, part: string][] = [
    [{ id: 7 }, 'id'],
    [{ requestEndMicros: -1 }, 'requestEndMicros'],
    [{ responseEndMicros: 1.5 }, 'responseEndMicros'],
    [{ client: null }, 'client'],
    [{ server: { address: '::1', port: 1, pod: { name: 'x' } } }, 'server'],
    [{ request: { ...request, body: 'text' } }, 'request'],
    [{ request: { ...request, headers: [['one']] } }, 'request'],
    [{ response: request }, 'response'],
    [{ capture: {} }, 'capture'],
    [{ flags: [1] }, 'flags'],
  ]
  for (const [changes, part] of cases) {
    const pair = unpackPair(broken(changes))
    assert.ok(pair instanceof Error, part)
    assert.match(pair.message, new RegExp(`"${part}"`))
  }
})

test('unpackPair: checks every part at any depth', () => {
  const pod = {
    name: 'p',
    namespace: 'n',
    uid: 'u',
    workload: { kind: 'Job', name: 'j' },
    container: 'c',
    labels: { a: 'b' },
  }
  const full = samplePair({ client: { address: '::1', port: 1, pod }, flags: ['one'] })
  /** Every way to replace one part of the value by a Date, which is not a type of any part. */
  const spoil = (value: unknown): [path: string, spoilt: unknown][] => {
    if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return []
    return Object.entries(value).flatMap(([key, part]) => {
      const put = (inner: unknown) =>
        Array.isArray(value) ? value.with(Number(key), inner) : { ...value, [key]: inner }
      const deeper = spoil(part).map(([path, inner]): [string, unknown] => [`${key}.${path}`, put(inner)])
      return [[key, put(new Date(0))], ...deeper] as [string, unknown][]
    })
  }
  const spoilt = spoil(full)
  assert.ok(spoilt.length > 50)
  for (const [path, value] of spoilt) assert.ok(unpackPair(broken(value as object)) instanceof Error, path)
})

test('readPair: returns a pair or an error for any bytes', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void readPair(bytes)))
})

test('readPair: returns a pair or an error for damaged pairs in both forms', () => {
  const damage = fc.record({ at: fc.nat(), byte: fc.nat({ max: 255 }), length: fc.nat() })
  const forms = [packPair(samplePair()), Buffer.from(pairToJson(samplePair()))]
  fc.assert(
    fc.property(fc.constantFrom(...forms), damage, (form, { at, byte, length }) => {
      const bytes = Uint8Array.from(form)
      bytes[at % bytes.length] = byte
      readPair(bytes)
      const cut = readPair(form.subarray(0, length % form.length))
      assert.ok(cut instanceof Error)
    }),
    { numRuns: 1000 },
  )
})

test('readPair: keeps no state from a damaged value', () => {
  const bytes = packPair(samplePair())
  for (let length = 0; length < bytes.length; length++) assert.ok(readPair(bytes.subarray(0, length)) instanceof Error)
  assert.deepEqual(comparable(readPair(bytes)), comparable(samplePair()))
})

test('readPair: reads the same pair from the JSON form', () => {
  fc.assert(
    fc.property(anyPair, (pair) => {
      assert.deepEqual(comparable(readPair(Buffer.from(pairToJson(pair)))), comparable(pair))
    }),
  )
})

test('packPair: writes values and types that Python reads back', { skip: needs('python', 'python-msgpack') }, () => {
  const pod = { name: 'p', namespace: 'shop', uid: 'u', workload: null, container: 'api', labels: { app: 'é' } }
  const pairs = [samplePair(), samplePair({ server: { address: '::1', port: 1, pod }, flags: ['x'] })]
  pairs.push(...fc.sample(anyPair, 50))
  assert.deepEqual(readWithPython(Buffer.concat(pairs.map(packPair))), pairs.map(asPythonReads))
})
