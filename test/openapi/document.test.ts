import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Validator } from '@seriousme/openapi-schema-validator'
import fc from 'fast-check'
import { OpenApiDocument } from '../../src/openapi/document.ts'
import type { Pair } from '../../src/pair/pair.ts'
import { anyPair, samplePair } from '../pair/samples.ts'

function documentOf(pairs: Pair[], examples = false) {
  const document = new OpenApiDocument({ version: '0', examples })
  for (const pair of pairs) document.add(pair)
  return JSON.parse(JSON.stringify(document.toJson()))
}

async function assertValid(document: object): Promise<void> {
  const { valid, errors } = await new Validator().validate(structuredClone(document) as Record<string, unknown>)
  assert.ok(valid, JSON.stringify(errors))
}

const get = (target: string, status = 200, json = '{"ok":true}') =>
  samplePair({
    request: { method: 'GET', target, body: Buffer.alloc(0) },
    response: { status, body: Buffer.from(json) },
  })

test('openapi: a validator accepts the document of any pairs', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyPair, { maxLength: 5 }), async (pairs) => assertValid(documentOf(pairs, true))),
    { numRuns: 25 },
  )
})

test('openapi: describes routes, parameters, statuses and schemas', async () => {
  const document = documentOf([
    get('/orders/1/items/3f2504e0-4f89-11d3-9a0c-0305e82c3301?page=1&q=x'),
    get('/orders/2/items/9b74c9897bac770ffc029102a200c5de?page=2', 404, '{"error":"no"}'),
    samplePair({
      request: { target: '/orders', body: Buffer.from('{"a":1}') },
      response: { status: 201, reason: 'Created' },
    }),
    samplePair({ request: { method: 'CONNECT', target: 'x:443' } }),
    get('/beyond', 999),
  ])
  await assertValid(document)
  assert.deepEqual(document.servers, [{ url: 'http://api' }])
  assert.deepEqual(Object.keys(document.paths), ['/orders', '/orders/{id}/items/{id2}'])
  const operation = document.paths['/orders/{id}/items/{id2}'].get
  assert.deepEqual(
    operation.parameters.map(({ name, in: where, required, schema }: Record<string, unknown>) => [
      name,
      where,
      required,
      schema,
    ]),
    [
      ['id', 'path', true, { type: 'integer' }],
      ['id2', 'path', true, { type: 'string' }],
      ['page', 'query', true, { type: 'integer' }],
      ['q', 'query', false, { type: 'string' }],
    ],
  )
  assert.deepEqual(Object.keys(operation.responses), ['200', '404'])
  assert.equal(document.paths['/orders'].post.responses['201'].description, 'Created')
  assert.match(document.info.description, / 3 captured exchanges\. Left out: 2 that OpenAPI cannot describe\.$/)
  assert.ok(!JSON.stringify(document).includes('"example"'))
})

test('openapi: the order of the pairs does not matter', () => {
  fc.assert(
    fc.property(fc.array(anyPair, { maxLength: 6 }), (pairs) => {
      assert.deepEqual(JSON.stringify(documentOf(pairs, true)), JSON.stringify(documentOf([...pairs].reverse(), true)))
    }),
    { numRuns: 40 },
  )
})

test('openapi: contains examples only on request; truncated JSON has no schema', () => {
  assert.deepEqual(documentOf([get('/a')], true).paths['/a'].get.responses['200'].content['application/json'].example, {
    ok: true,
  })
  assert.deepEqual(
    documentOf([get('/a', 200, '{"ok":')]).paths['/a'].get.responses['200'].content['application/json'],
    { schema: {} },
  )
})

test('openapi: 10,000 routes are bounded', () => {
  const pairs = Array.from({ length: 10_000 }, (_, index) => get(`/route-${index}`))
  assert.equal(Object.keys(documentOf(pairs).paths).length, 2000)
})
