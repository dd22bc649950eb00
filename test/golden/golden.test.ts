/**
 * Every golden capture through the real program: each pair it emits is one the server logged, and each exchange that
 * the capture holds whole is emitted. The ledger's laws hold exactly.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { count } from '../../src/ledger/ledger.ts'
import { captureFile, compare, EXAMPLE, expectedOf, goldenNames, readCapture } from '../support/golden.ts'
import { assertLaws } from '../support/ledger.ts'

for (const name of goldenNames()) {
  test(`golden: ${name} gives the pairs that the server logged`, async () => {
    const run = await readCapture([captureFile(name)])
    assert.equal(run.code, 0, run.stderr)
    assert.deepEqual(compare(expectedOf(name), run.pairs), { others: [], missing: [] })
    assertLaws(run.ledger)
    assert.equal(count(run.ledger, 'pairs.shipped'), run.pairs.length)
  })
}

test('golden: the example capture shows the shop with the default rules', async () => {
  const run = await readCapture([EXAMPLE], { all: false })
  assert.equal(run.code, 0, run.stderr)
  assertLaws(run.ledger)
  assert.equal(count(run.ledger, 'pairs.assembled'), 51)
  assert.equal(run.pairs.length, 24)
  const seen = new Set(run.pairs.map(({ method, target }) => `${method} ${target.replace(/[?].*/, '')}`))
  for (const call of ['POST /login', 'POST /api/orders', 'POST /orders', 'PATCH /api/orders/1001', 'GET /products']) {
    assert.ok(seen.has(call), `${call} is among ${[...seen].join(', ')}`)
  }
  for (const reason of ['userAgent', 'contentType', 'status', 'path']) {
    assert.notEqual(count(run.ledger, `pairs.filtered.${reason}`), 0, reason)
  }
})
