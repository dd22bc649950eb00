import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { MergedSchema } from '../../src/openapi/schema-merge.ts'

function schemaOf(values: unknown[]): object {
  const merged = new MergedSchema()
  for (const value of values) merged.add(value)
  return merged.toSchema()
}

test('schema merge: every merged value is valid', () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue(), { minLength: 1, maxLength: 6 }), (values) => {
      // An inherited `valueOf` is not a property of the JSON object.
      const options = { strict: false, validateFormats: false, ownProperties: true }
      const validate = new Ajv2020(options).compile(schemaOf(values))
      for (const value of values) assert.ok(validate(value), JSON.stringify([schemaOf(values), value]))
    }),
    { numRuns: 60 },
  )
})

test('schema merge: names of inherited properties are ordinary properties', () => {
  assert.deepEqual(schemaOf([{ valueOf: 1 }, {}]), { type: 'object', properties: { valueOf: { type: 'integer' } } })
})

test('schema merge: a property $ref is not a reference', () => {
  assert.deepEqual(schemaOf([{ $ref: '#/a' }]), {
    type: 'object',
    properties: {},
    patternProperties: { '^\\$ref$': { type: 'string' } },
    required: ['$ref'],
  })
})

test('schema merge: the order of the values does not matter', () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue(), { maxLength: 5 }), (values) => {
      assert.deepEqual(JSON.stringify(schemaOf(values)), JSON.stringify(schemaOf([...values].reverse())))
    }),
    { numRuns: 60 },
  )
})

test('schema merge: recognises optional properties, several types, and formats', () => {
  assert.deepEqual(
    schemaOf([
      { id: 1, at: '2026-11-23T10:00:00Z', tags: ['a'], note: null },
      { id: 1.5, at: '2026-11-24T10:00:00.5+01:00', tags: [] },
    ]),
    {
      type: 'object',
      properties: {
        at: { type: 'string', format: 'date-time' },
        id: { type: 'number' },
        note: { type: 'null' },
        tags: { type: 'array', items: { type: 'string' } },
      },
      required: ['at', 'id', 'tags'],
    },
  )
  assert.deepEqual(schemaOf(['a@b.example', '2026-11-23']), { type: 'string' })
  assert.deepEqual(schemaOf([1, 'x', null]), { type: ['integer', 'null', 'string'] })
})

test('schema merge: hostile bodies stay within the bounds', () => {
  let deep: unknown = 1
  for (let level = 0; level < 5000; level++) deep = [deep]
  const wide = Object.fromEntries(Array.from({ length: 50_000 }, (_, index) => [`k${index}`, { a: index }]))
  for (const value of [deep, wide, JSON.parse('{"__proto__":{"x":1},"constructor":2}')]) {
    assert.ok(JSON.stringify(schemaOf([value])).length < 100_000)
  }
  assert.deepEqual(Object.keys((schemaOf([wide]) as { properties: object }).properties).length, 200)
})
