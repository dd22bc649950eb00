import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { unpack } from 'msgpackr'
import { FORWARDED_BYTES, ForwardedWriter } from '../../../src/assemble/encode/forwarded.ts'
import { template } from '../../../src/assemble/encode/templates.ts'
import { propertyRuns } from '../../support/property-runs.ts'

/** The most fields that are written. */
const FIELDS = 15
const FILLER = 0xa5

/** A number in so many bytes, big-endian, as MessagePack has it. */
function big(value: number, size: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value)
  return bytes.subarray(4 - size)
}

/** A string with the shortest header, or with that of the next larger form: readers must accept either. */
function text(value: string, isLonger: boolean): Uint8Array {
  const { length } = value
  const forms = [length < 32 ? 0 : null, length < 256 ? 1 : null, length < 65_536 ? 2 : null, 4].filter(
    (size) => size !== null,
  )
  const size = forms[isLonger ? 1 : 0] ?? 4
  const header = size === 0 ? [0xa0 | length] : template([{ 1: 0xd9, 2: 0xda, 4: 0xdb }[size] ?? 0], big(length, size))
  return template(header, new TextEncoder().encode(value))
}

interface Field {
  name: string
  value: string
  isLonger: boolean
}

const encodeField = ({ name, value, isLonger }: Field): Uint8Array =>
  template([0x92], text(name, isLonger), text(value, isLonger))

function encodeHeaders(fields: readonly Field[], isLonger: boolean): Uint8Array {
  const count = fields.length
  const header =
    !isLonger && count < 16 ? [0x90 | count] : template([isLonger ? 0xdd : 0xdc], big(count, isLonger ? 4 : 2))
  return template(header, ...fields.map(encodeField))
}

/** What `write` is to write, by another way: regular expressions and a sum. */
function expected(fields: readonly Field[]): [string, string][] {
  let left = FORWARDED_BYTES - 1
  const kept: [string, string][] = []
  for (const field of fields) {
    if (!/^(forwarded|x-real-ip|l5d-client-id|x-forwarded-.*|x-envoy-.*)$/i.test(field.name)) continue
    const { length } = encodeField(field)
    if (length > left || kept.length === FIELDS) continue
    left -= length
    kept.push([field.name, field.value])
  }
  return kept
}

/** Writes the fields, and checks that no byte outside of the result changes. */
function write(fields: readonly Field[], isLonger = false, to = 64): [string, string][] {
  const headers = encodeHeaders(fields, isLonger)
  const at = to + FORWARDED_BYTES + 64
  const bytes = new Uint8Array(at + headers.length + 16).fill(FILLER)
  bytes.set(headers, at)
  const before = bytes.slice()
  const after = new ForwardedWriter({ bytes, view: new DataView(bytes.buffer) }).write(to, at)
  assert.ok(after - to <= FORWARDED_BYTES, `${after - to} bytes`)
  assert.ok(isDeepStrictEqual(bytes.subarray(0, to), before.subarray(0, to)), 'bytes before the result')
  assert.ok(isDeepStrictEqual(bytes.subarray(after), before.subarray(after)), 'bytes behind the result')
  return after === to ? [] : unpack(bytes.subarray(to, after))
}

const plain = (name: string, value = 'v'): Field => ({ name, value, isLonger: false })

test('ForwardedWriter: model: writes exactly the fields in which proxies name the client, in order, within its bounds', () => {
  const known = fc.constantFrom(
    'forwarded',
    'x-real-ip',
    'l5d-client-id',
    'x-forwarded-',
    'x-forwarded-for',
    'x-envoy-',
    'x-envoy-external-address',
  )
  const cased = fc
    .tuple(known, fc.infiniteStream(fc.boolean()))
    .map(([name, upper]) => [...name].map((c) => (upper.next().value === true ? c.toUpperCase() : c)).join(''))
  /** Names that differ from a known one in one place. */
  const near = fc
    .tuple(known, fc.nat(30), fc.constantFrom('', 'q', '-', '0'))
    .map(([name, at, by]) => `${name.slice(0, at % name.length)}${by}${name.slice((at % name.length) + 1)}`)
  const other = fc.constantFrom('host', 'a', '', 'x-forwarded', 'x-envoy', 'forwarded-', 'x-real-ip2', 'via')
  const length = fc.oneof(
    { weight: 4, arbitrary: fc.nat(40) },
    fc.constantFrom(255, 256, 300, 1000, 4000, 4090, 70_000),
  )
  // Values as lengths, so that a counterexample is short.
  const field = fc.tuple(fc.oneof(cased, near, other), length, fc.boolean())
  const drawn = fc.array(field, { maxLength: 40, size: 'max' })
  fc.assert(
    fc.property(drawn, fc.boolean(), fc.integer({ min: 1, max: 200 }), (fields, isLonger, to) => {
      const all = fields.map(([name, count, longer]) => ({ name, value: 'v'.repeat(count), isLonger: longer }))
      assert.ok(isDeepStrictEqual(write(all, isLonger, to), expected(all)))
    }),
    { numRuns: propertyRuns(2000) },
  )
})

test('ForwardedWriter: keeps a field that fits exactly, and leaves out one byte more', () => {
  // Beside the value: the headers of both arrays, the name with its header, and three bytes for the header of the value.
  const room = FORWARDED_BYTES - 2 - 'forwarded'.length - 1 - 3
  const [fits, exceeds] = [plain('forwarded', 'v'.repeat(room)), plain('forwarded', 'v'.repeat(room + 1))]
  assert.deepEqual(write([fits]), [[fits.name, fits.value]])
  assert.deepEqual(write([exceeds]), [])
  assert.deepEqual(write([exceeds, plain('x-real-ip')]), [['x-real-ip', 'v']])
})

test('ForwardedWriter: writes the first 15 fields of more', () => {
  const fields = Array.from({ length: 17 }, (_, i) => plain(`x-forwarded-${i}`))
  assert.deepEqual(
    write(fields).map(([name]) => name),
    fields.slice(0, FIELDS).map(({ name }) => name),
  )
})
