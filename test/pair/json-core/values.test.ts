import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { propertyRuns } from '../../support/property-runs.ts'
import { JsonValues } from './values-program.ts'

/** A value in MessagePack, how it is copied, and the expected JSON. */
interface Value {
  packed: Buffer
  copy: (copier: JsonValues) => boolean
  json: string
}

/** A type byte, a big-endian number of `bytes` bytes, and content. */
function header(type: number, bytes: number, number: number, content: Uint8Array = Buffer.alloc(0)): Buffer {
  const length = Buffer.alloc(8)
  length.writeBigUInt64BE(BigInt(number))
  return Buffer.concat([Buffer.of(type), length.subarray(8 - bytes), content])
}

/** The smallest number of bytes, 1, 2, 4 or 8, that can hold a number. */
const bytesFor = (number: number): number => (number < 256 ? 1 : number < 65_536 ? 2 : number < 2 ** 32 ? 4 : 8)

/** MessagePack's types of 1, 2, 4 and 8 bytes follow each other. */
const typeOf = (first: number, bytes: number): number => first + Math.log2(bytes)

/** The number of bytes in which a number is encoded: the fewest possible, or more. */
const widened = (number: number, wider: number, most: number): number => Math.min(most, bytesFor(number) << wider)

const wider = fc.nat(2)

const integers = fc
  .tuple(fc.oneof(fc.nat(127), fc.nat(70_000), fc.maxSafeNat()), wider, fc.boolean())
  .map(([number, more, isSigned]): Value => {
    const bytes = widened(number, more, 8)
    const packed =
      number < 128 && more === 0
        ? Buffer.of(number)
        : isSigned && bytes === 8
          ? header(0xd3, 8, number)
          : header(typeOf(0xcc, bytes), bytes, number)
    return { packed, copy: (copier) => copier.integer(), json: String(number) }
  })

const strings = fc
  .tuple(fc.string({ unit: 'binary', maxLength: 60 }), wider, fc.constantFrom(1, 1, 1, 20))
  .map(([part, more, times]): Value => {
    const text = part.repeat(times)
    const content = Buffer.from(text)
    const bytes = widened(content.length, more, 4)
    const isFixed = content.length < 32 && more === 0
    const packed = isFixed
      ? Buffer.concat([Buffer.of(0xa0 | content.length), content])
      : header(typeOf(0xd9, bytes), bytes, content.length, content)
    return { packed, copy: (copier) => copier.text(), json: JSON.stringify(content.toString()) }
  })

const [AS_TEXT, AS_BASE64] = [Buffer.from('/text'), Buffer.from('/base64')]

const binaries = fc
  .tuple(fc.uint8Array({ maxLength: 300 }), fc.string({ unit: 'grapheme' }), fc.boolean(), wider)
  .map(([noise, text, isText, more]): Value => {
    const content = isText ? Buffer.from(text) : Buffer.concat([noise, Buffer.of(0xff)])
    const bytes = widened(content.length, more, 4)
    const json = isText ? `${JSON.stringify(text)}${AS_TEXT}` : `"${content.toString('base64')}"${AS_BASE64}`
    const packed = header(typeOf(0xc4, bytes), bytes, content.length, content)
    return { packed, copy: (copier) => copier.bytes(AS_TEXT, AS_BASE64), json }
  })

const constants = fc.constantFrom<Value>(
  { packed: Buffer.of(0xc0), copy: (copier) => copier.nil(), json: 'null' },
  { packed: Buffer.of(0xc2), copy: (copier) => copier.boolean(), json: 'false' },
  { packed: Buffer.of(0xc3), copy: (copier) => copier.boolean(), json: 'true' },
)

/** Keys of all lengths, because tokens are compared in steps of 16 bytes. */
const tokens = fc
  .tuple(fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 50 }), fc.nat(3))
  .map(([text, more]): Value => {
    const json = `<${text}>${'.'.repeat(more)}`
    const packed = Buffer.from(text)
    return { packed, copy: (copier) => copier.token(packed, json), json }
  })

const collections = fc.tuple(fc.boolean(), fc.nat(65_535), fc.boolean()).map(([isMap, count, isSmall]): Value => {
  const items = isSmall ? count % 16 : count
  const packed = isSmall ? Buffer.of((isMap ? 0x80 : 0x90) | items) : header(isMap ? 0xde : 0xdc, 2, items)
  const copy = (copier: JsonValues): boolean => (isMap ? copier.mapHeader() : copier.arrayHeader()) === items
  return { packed, copy, json: '' }
})

const documents = fc.array(fc.oneof(integers, strings, binaries, constants, tokens, collections), { maxLength: 30 })

const COMMA = Buffer.from(',')

/** @returns the JSON; null if the program rejects the value */
function copied(copier: JsonValues, packed: Uint8Array, values: readonly Value[]): string | null {
  copier.start(packed)
  for (const { copy } of values) if (!copy(copier) || !copier.put(COMMA)) return null
  const out = copier.finish()
  return out === undefined ? null : Buffer.from(out).toString()
}

const packedOf = (values: readonly Value[]): Buffer => Buffer.concat(values.map(({ packed }) => packed))

// One instance for all examples: its buffers keep bytes of earlier documents.
const copier = new JsonValues()

test('json values: model: writes each value as JSON.stringify does, in any of its packed forms', () => {
  const property = fc.property(documents, (values) => {
    assert.equal(copied(copier, packedOf(values), values), values.map(({ json }) => `${json},`).join(''))
  })
  fc.assert(property, { numRuns: propertyRuns(1200) })
})

test('json values: rejects a document that ends early or late, whatever its buffer held before', () => {
  const property = fc.property(
    documents,
    fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    (values, at) => {
      const packed = packedOf(values)
      fc.pre(packed.length > 0)
      assert.notEqual(copied(copier, packed, values), null)
      assert.equal(copied(copier, packed.subarray(0, Math.floor(at * packed.length)), values), null)
      assert.equal(copied(copier, Buffer.concat([packed, Buffer.of(0)]), values), null)
    },
  )
  fc.assert(property, { numRuns: propertyRuns(1200) })
})

test('json values: rejects a value of another type', () => {
  const kinds: Record<string, [Buffer, (copier: JsonValues) => boolean]> = {
    nil: [Buffer.of(0xc0), (one) => one.nil()],
    boolean: [Buffer.of(0xc3), (one) => one.boolean()],
    integer: [Buffer.of(7), (one) => one.integer()],
    text: [Buffer.of(0xa1, 0x61), (one) => one.text()],
    bytes: [Buffer.of(0xc4, 1, 0x61), (one) => one.bytes(AS_TEXT, AS_BASE64)],
    array: [Buffer.of(0x91), (one) => one.arrayHeader() >= 0],
    map: [Buffer.of(0x81), (one) => one.mapHeader() >= 0],
  }
  for (const [kind, [packed]] of Object.entries(kinds)) {
    for (const [wanted, [, copy]] of Object.entries(kinds)) {
      copier.start(packed)
      assert.equal(copy(copier), kind === wanted, `${wanted} of ${kind}`)
    }
  }
})

test('json values: rejects integers below 0 and above 2^53 - 1, and text that is not UTF-8', () => {
  for (const hex of ['ff', 'd0ff', 'd3ffffffffffffffff', 'cf0020000000000000', 'cb3ff0000000000000']) {
    copier.start(Buffer.from(hex, 'hex'))
    assert.equal(copier.integer(), false, hex)
  }
  copier.start(Buffer.of(0xa2, 0xc3, 0x28))
  assert.equal(copier.text(), false)
})

test('json values: compares the next string without case, and consumes nothing', () => {
  const wanted = Buffer.from('content-encoding')
  for (const [text, isSame] of [
    ['Content-Encoding', true],
    ['content-encodinG', true],
    ['content-encodings', false],
    ['content_encoding', false],
  ] as const) {
    copier.start(Buffer.concat([header(0xd9, 1, text.length), Buffer.from(text)]))
    assert.equal(copier.isNext(wanted), isSame, text)
    assert.ok(copier.text())
    assert.equal(Buffer.from(copier.finish() ?? []).toString(), `"${text}"`)
  }
})
