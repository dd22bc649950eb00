import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { Unpackr } from 'msgpackr'
import { pairToJson } from '../../src/pair/to-json.ts'
import { packPair } from '../../src/pair/unpack.ts'
import { anyPair, samplePair } from './samples.ts'

type Schema = { [key: string]: unknown }

// Relative to dist/test/pair.
const schema = JSON.parse(readFileSync(new URL('../../../schema/pair.schema.json', import.meta.url), 'utf8')) as Schema

/** The schema with all unnamed keys forbidden, to check that it names every key we write. */
function closed(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(closed)
  if (typeof node !== 'object' || node === null) return node
  const copy = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, closed(value)]))
  const isObject = 'properties' in copy && ('type' in copy || '$ref' in copy)
  return isObject ? { ...copy, unevaluatedProperties: false } : copy
}

/** Messages stay open: a closed definition would reject the keys that requests and responses add to it. */
function closedSchema(): Schema {
  const copy = closed(schema) as { $defs: { message: Schema } } & Schema
  delete copy.$defs.message['unevaluatedProperties']
  return { ...copy, $id: 'closed' }
}

const ajv = new Ajv2020({ strict: true, strictRequired: false, strictTypes: false, allErrors: true })
const validate = ajv.compile(schema)
const validateClosed = ajv.compile(closedSchema())
const unpack = (bytes: Uint8Array): unknown => new Unpackr({ useRecords: false, int64AsType: 'number' }).unpack(bytes)

test('schema: accepts every pair in JSON and names every key', () => {
  fc.assert(
    fc.property(anyPair, (pair) => {
      assert.ok(validateClosed(JSON.parse(pairToJson(pair))), ajv.errorsText(validateClosed.errors))
    }),
  )
})

test('schema: accepts every pair in MessagePack, with bodies as native bytes', () => {
  fc.assert(
    fc.property(anyPair, (pair) => {
      assert.ok(validateClosed(unpack(packPair(pair))), ajv.errorsText(validateClosed.errors))
    }),
  )
})

test('schema: accepts keys added by a later agent', () => {
  assert.ok(validate({ ...JSON.parse(pairToJson(samplePair())), later: true }))
  assert.ok(!validateClosed({ ...JSON.parse(pairToJson(samplePair())), later: true }))
})

test('schema: requires a body in the form that bodyEncoding names', () => {
  const json = JSON.parse(pairToJson(samplePair()))
  assert.ok(!validate({ ...json, request: { ...json.request, bodyEncoding: 'bin' } }))
  assert.ok(!validate({ ...json, request: { ...json.request, body: Buffer.from('x') } }))
  assert.ok(!validate({ ...json, response: { ...json.response, body: null } }))
})

test('schema: requires and types every key', () => {
  const json = JSON.parse(pairToJson(samplePair())) as Record<string, unknown>
  for (const key of Object.keys(json)) {
    const { [key]: _left, ...rest } = json
    assert.ok(!validate(rest), `${key} missing`)
    assert.ok(!validate({ ...json, [key]: undefined }), `${key} undefined`)
  }
  for (const part of ['client', 'request', 'response', 'capture']) {
    const fields = json[part] as Record<string, unknown>
    for (const key of Object.keys(fields)) {
      const { [key]: _left, ...rest } = fields
      assert.ok(!validate({ ...json, [part]: rest }), `${part}.${key} missing`)
    }
  }
})

test('schema: describes every key', () => {
  const visit = (node: unknown, path: string): void => {
    if (typeof node !== 'object' || node === null) return
    for (const [key, value] of Object.entries(node)) {
      if (key === 'properties' && !/\/(if|then|else)$/.test(path)) {
        for (const [name, field] of Object.entries(value as Schema)) {
          assert.ok((field as Schema)['description'], `${path}/${name} has none`)
        }
      }
      visit(value, `${path}/${key}`)
    }
  }
  visit(schema, '')
})
