import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { defaultConfig } from '../../src/config/load.ts'
import { pairToJson } from '../../src/pair/to-json.ts'
import { packPair } from '../../src/pair/unpack.ts'
import { PairSelector } from '../../src/select/selector.ts'
import { samplePair } from '../pair/samples.ts'

const { include } = defaultConfig().filter

async function selector(grep: string[], where: string | null = null): Promise<PairSelector> {
  const created = await PairSelector.create({ grep, where })
  assert.ok(created !== null)
  return created
}

test('selector: is null for a selection of every pair', async () => {
  assert.equal(await PairSelector.create(), null)
  assert.equal(await PairSelector.create({ grep: [], where: null }, include), null)
})

test('selector: reads both forms of a pair, and reports other values', async () => {
  const get = await PairSelector.create(undefined, { ...include, methods: ['GET'] })
  for (const [method, expected] of [['GET', true] as const, ['POST', false] as const]) {
    const pair = samplePair({ request: { method } })
    assert.equal(get?.selects(packPair(pair)), expected)
    assert.equal(get?.selects(Buffer.from(pairToJson(pair))), expected)
  }
  for (const bytes of ['', '{"v":1}', '\xc1', 'text'])
    assert.ok(get?.selects(Buffer.from(bytes, 'latin1')) instanceof Error)
})

test('selector: --grep searches start lines, headers and bodies, also compressed ones', async () => {
  const body = gzipSync('{"name":"Zoë"}')
  const pair = samplePair({
    request: { target: '/orders?x', headers: [['X-Trace', 'abc']] },
    response: { reason: 'Fine', headers: [['Content-Encoding', 'gzip']], body },
  })
  const bytes = packPair(pair)
  for (const text of ['POST', '/orders', 'X-Trace', 'abc', '"a":1', 'Fine', 'Zoë', 'gzip']) {
    assert.equal((await selector([text])).selects(bytes), true, text)
  }
  assert.equal((await selector(['zoë'])).selects(bytes), false)
  assert.equal((await selector(['Zoë', 'abc'])).selects(bytes), true)
  assert.equal((await selector(['Zoë', 'nothing'])).selects(bytes), false)
})

test('selector: requires both --grep and --where to match', async () => {
  const bytes = packPair(samplePair())
  assert.equal((await selector(['"a"'], 'request.json.a == 1')).selects(bytes), true)
  assert.equal((await selector(['"b"'], 'request.json.a == 1')).selects(bytes), false)
  assert.equal((await selector(['"a"'], 'request.json.a == 2')).selects(bytes), false)
})

test('selector: an expression reads compressed JSON', async () => {
  const response = { headers: [['Content-Encoding', 'gzip'] as [string, string]], body: gzipSync('{"id":5}') }
  assert.equal((await selector([], 'response.json.id == 5')).selects(packPair(samplePair({ response }))), true)
})
