/**
 * Every golden capture is read once by the real program: each emitted pair was logged by the server, each exchange that
 * the capture contains completely is emitted, tshark agrees, pairs match their schema, and the ledger's laws hold
 * exactly.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { needs } from '../../rig/needs.ts'
import { count } from '../../src/ledger/ledger.ts'
import { unpackPair } from '../../src/pair/unpack.ts'
import { asPythonReads, readWithPython } from '../pair/python.ts'
import { captureFile, compare, EXAMPLE, expectedOf, goldenNames, type Run, readCapture } from '../support/golden.ts'
import { assertLaws } from '../support/ledger.ts'
import { assertPairForms } from './pair-forms.ts'
import { assertAgreesWithTshark } from './tshark.ts'

/** This capture intentionally contains no pair. */
const WITHOUT_PAIRS = 'not-http'

const runs = new Map<string, Promise<Run>>()
/** The program's result for a capture, started by the first test that needs it. */
function runOf(name: string): Promise<Run> {
  const run = runs.get(name) ?? readCapture([captureFile(name)])
  runs.set(name, run)
  return run
}

for (const name of goldenNames()) {
  test(`golden: ${name} yields the pairs that the server logged`, async () => {
    const run = await runOf(name)
    assert.equal(run.code, 0, run.stderr)
    assert.deepEqual(compare(expectedOf(name), run.pairs), { others: [], missing: [] })
    assertLaws(run.ledger)
    assert.equal(count(run.ledger, 'pairs.shipped'), run.pairs.length)
  })

  test(`golden: ${name} has the same messages and pairs in tshark`, { skip: needs('tshark') }, async () => {
    assertAgreesWithTshark(name, await runOf(name))
  })

  if (name === WITHOUT_PAIRS) continue
  test(`golden: pairs of ${name} match the schema in both forms and are transcoded to JSON directly`, async () => {
    assertPairForms((await runOf(name)).raw)
  })
}

test('golden: Python reads the same values', { skip: needs('python', 'python-msgpack') }, async () => {
  const { raw } = await runOf('python-stdlib')
  assert.deepEqual(
    readWithPython(Buffer.concat(raw)),
    raw.map((pair) => asPythonReads(unpackPair(pair))),
  )
})

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
