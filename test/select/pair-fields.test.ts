import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Header, Pair } from '../../src/pair/pair.ts'
import { FIELD_PATHS, FIELD_TYPES, VARIABLES, variablesOf } from '../../src/select/pair-fields.ts'
import { anyPair, samplePair } from '../pair/samples.ts'
import { propertyRuns } from '../support/property-runs.ts'

/** Whether a value has a CEL type. */
function isOf(type: string, value: unknown): boolean {
  switch (type) {
    case 'string':
      return typeof value === 'string'
    case 'int':
      return typeof value === 'bigint'
    case 'double':
      return typeof value === 'number' && !Number.isNaN(value)
    case 'list<string>':
      return Array.isArray(value) && value.every((one) => typeof one === 'string')
    case 'map<string, string>':
      return value instanceof Map && [...value].flat().every((one) => typeof one === 'string')
    case 'dyn':
      return value !== undefined
    default:
      return typeof value === 'object' && value !== null
  }
}

/** The type that is declared for a path. */
function typeOf(path: string): string {
  const [first, ...names] = path.split('.')
  return names.reduce(
    (type, name) => (FIELD_TYPES[type as keyof typeof FIELD_TYPES] as Record<string, string>)[name],
    VARIABLES[first as keyof typeof VARIABLES] as string,
  )
}

const fieldOf = (pair: Pair, path: string): unknown =>
  path.split('.').reduce<unknown>((value, name) => (value as Record<string, unknown>)[name], variablesOf(pair))

test('pair fields: every field of any pair has its declared type', () => {
  fc.assert(
    fc.property(anyPair, (pair) => {
      for (const path of FIELD_PATHS) assert.ok(isOf(typeOf(path), fieldOf(pair, path)), path)
    }),
    { numRuns: propertyRuns(400) },
  )
})

test('pair fields: header names are in lower case, and repeated fields are joined in their order', () => {
  const name = fc.constantFrom('Accept', 'accept', 'ACCEPT', 'X-A', 'x-a')
  const headers = fc.array(fc.tuple(name, fc.string({ maxLength: 4 })), { maxLength: 6 })
  fc.assert(
    fc.property(headers, (list) => {
      const expected = new Map<string, string[]>()
      for (const [key, value] of list) {
        expected.set(key.toLowerCase(), [...(expected.get(key.toLowerCase()) ?? []), value])
      }
      const found = fieldOf(samplePair({ request: { headers: list as Header[] } }), 'request.headers')
      assert.deepEqual(found, new Map([...expected].map(([key, values]) => [key, values.join(', ')])))
    }),
    { numRuns: propertyRuns(400) },
  )
})

test('pair fields: the host has no port, and is empty without a Host field', () => {
  const hostOf = (...headers: Header[]): unknown => fieldOf(samplePair({ request: { headers } }), 'request.host')
  assert.equal(hostOf(['hOST', 'api.shop:8080'], ['Host', 'other']), 'api.shop')
  assert.equal(hostOf(['Host', '[::1]:80']), '[::1]')
  assert.equal(hostOf(['Host', 'api:']), 'api')
  assert.equal(hostOf(), '')
})

test('pair fields: bodies are text if they are UTF-8, and JSON if they are valid JSON', () => {
  const fieldsOf = (body: Uint8Array): unknown[] =>
    ['response.body', 'response.json'].map((path) => fieldOf(samplePair({ response: { body } }), path))
  assert.deepEqual(fieldsOf(Buffer.from('{"a":[1,"é"]}')), ['{"a":[1,"é"]}', { a: [1, 'é'] }])
  assert.deepEqual(fieldsOf(Buffer.from('{"a"')), ['{"a"', null])
  assert.deepEqual(fieldsOf(Uint8Array.of(0x22, 0xff, 0x22)), ['', null])
  // A view into a larger buffer.
  assert.deepEqual(fieldsOf(new Uint8Array(Buffer.from('xx[7]yy')).subarray(2, 5)), ['[7]', [7]])
})

test('pair fields: the latency spans the exchange, and is never negative', () => {
  const latency = (requestStartMicros: number, responseEndMicros: number): unknown =>
    fieldOf(samplePair({ requestStartMicros, responseEndMicros }), 'latencyMs')
  assert.equal(latency(1_000, 3_500), 2.5)
  assert.equal(latency(3_500, 1_000), 0)
})

test('pair fields: an endpoint has the names of its pod, or empty names without a known pod', () => {
  const pod = {
    name: 'api-1',
    namespace: null,
    uid: 'u1',
    workload: { kind: 'Deployment', name: 'api' },
    container: 'web',
    labels: { app: 'api' },
  }
  const pair = samplePair({ server: { address: '10.0.0.9', port: 8080, pod } })
  const names = ['name', 'namespace', 'uid', 'container', 'workload.kind', 'workload.name']
  const namesOf = (end: string): unknown[] => names.map((name) => fieldOf(pair, `${end}.pod.${name}`))
  assert.deepEqual(namesOf('server'), ['api-1', '', 'u1', 'web', 'Deployment', 'api'])
  assert.deepEqual(
    namesOf('client'),
    names.map(() => ''),
  )
  assert.deepEqual(fieldOf(pair, 'server.pod.labels'), new Map([['app', 'api']]))
  assert.deepEqual([fieldOf(pair, 'server.port'), fieldOf(pair, 'client.address')], [8080n, '10.0.0.5'])
})
