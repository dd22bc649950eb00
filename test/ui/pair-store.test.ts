import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pairToJson } from '../../src/pair/to-json.ts'
import { packPair } from '../../src/pair/unpack.ts'
import { PairStore } from '../../src/ui/pair-store.ts'
import { samplePair } from '../pair/samples.ts'

const packed = (target = '/'): Uint8Array => packPair(samplePair({ request: { target } }))

test('pair store: drops the oldest pairs beyond the maximum number', () => {
  const store = new PairStore({ pairs: 3, bytes: 1e9 })
  for (let number = 0; number < 10; number += 1) store.add(packed(`/${number}`))
  assert.deepEqual([store.first, store.next, store.size], [7, 10, 3])
  assert.equal(store.get(6), undefined)
  assert.equal(store.get(7)?.row.target, '/7')
})

test('pair store: drops the oldest pairs beyond the maximum bytes, and holds the newest whatever its size', () => {
  const { length } = packed()
  const store = new PairStore({ pairs: 1000, bytes: length * 2 })
  for (let number = 0; number < 5; number += 1) store.add(packed())
  assert.deepEqual([store.size, store.heldBytes], [2, length * 2])
  store.add(packPair(samplePair({ response: { body: Buffer.alloc(length * 3) } })))
  assert.equal(store.size, 1)
})

test('pair store: holds copies of pairs in both forms', () => {
  const store = new PairStore()
  const bytes = Buffer.from(packed('/first'))
  store.add(bytes)
  bytes.fill(0)
  store.add(Buffer.from(pairToJson(samplePair({ request: { target: '/second' } }))))
  assert.deepEqual([store.get(0)?.row.target, store.get(1)?.row.target], ['/first', '/second'])
  assert.notEqual(store.get(0)?.bytes[0], 0)
})

test('pair store: counts records that are not pairs', () => {
  const store = new PairStore()
  for (const raw of ['', '{}', '{"v":1', 'text']) assert.equal(store.add(Buffer.from(raw)), null)
  assert.deepEqual([store.foreign, store.size], [4, 0])
})

test('pair store: a row contains the pair’s texts, truncated to a length', () => {
  const store = new PairStore()
  const pod = {
    name: 'api-1',
    namespace: 'shop',
    uid: 'u',
    workload: { kind: 'Deployment', name: 'api' },
    container: 'c',
    labels: {},
  }
  store.add(
    packPair(
      samplePair({ request: { target: `/${'x'.repeat(5000)}` }, server: { address: '10.0.0.9', port: 80, pod } }),
    ),
  )
  const row = store.get(0)?.row
  assert.ok((row?.target.length ?? 0) < 400)
  assert.deepEqual(
    { ...row, target: '' },
    {
      seq: 0,
      micros: 1795406287123456,
      method: 'POST',
      target: '',
      host: 'api',
      status: 200,
      latencyMicros: 554,
      requestBytes: 7,
      responseBytes: 11,
      type: 'application/json',
      client: '10.0.0.5',
      server: 'shop/api',
    },
  )
})
