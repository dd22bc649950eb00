/**
 * Every golden capture through the real program: each pair it emits is one the server logged, and each exchange that
 * the capture holds whole is emitted. The ledger's laws hold exactly.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brokenLaws, count } from '../../src/ledger.ts'
import { captureFile, compare, expectedOf, goldenNames, readCapture } from '../support/golden.ts'

for (const name of goldenNames()) {
  test(`golden: ${name} gives the pairs that the server logged`, async () => {
    const run = await readCapture([captureFile(name)])
    assert.equal(run.code, 0, run.stderr)
    assert.deepEqual(compare(expectedOf(name), run.pairs), { others: [], missing: [] })
    assert.deepEqual(brokenLaws(run.ledger), [])
    assert.equal(count(run.ledger, 'pairs.shipped'), run.pairs.length)
  })
}
