/** The benchmarks' traffic matches its description: every pair is found. */
import assert from 'node:assert/strict'
import { readFileSync, rmSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { parsePass } from '../../bench/parse-pass.ts'
import { makeTrace, type Trace, type TraceName } from '../../bench/traces.ts'

/** A number of pairs that no benchmark uses, so that this test removes none of their files. */
const PAIRS = 1_237

function make(t: TestContext, name: TraceName): Trace {
  const trace = makeTrace(name, PAIRS)
  t.after(() => rmSync(trace.path, { force: true }))
  return trace
}

for (const name of ['small', 'api'] as const) {
  test(`traces: finds every pair of ${name}`, (t) => {
    const { pairs } = parsePass(readFileSync(make(t, name).path))
    assert.equal(pairs, PAIRS)
  })
}

test('traces: generates the same bytes twice', (t) => {
  const first = readFileSync(make(t, 'api').path)
  rmSync(make(t, 'api').path)
  assert.deepEqual(readFileSync(make(t, 'api').path), first)
})

test('traces: api has messages of several segments, small has none', (t) => {
  const framesOf = (name: TraceName): number => parsePass(readFileSync(make(t, name).path)).frames
  assert.ok(framesOf('api') > 4 * PAIRS)
  // Three frames for the handshake and three for the close of each connection.
  assert.equal(framesOf('small'), 2 * PAIRS + 6 * 17)
})

test('traces: tls has two full frames for each acknowledgement, and no pairs', (t) => {
  const records = 3
  const trace = makeTrace('tls', records)
  t.after(() => rmSync(trace.path, { force: true }))
  const { frames, pairs } = parsePass(readFileSync(trace.path))
  assert.equal(pairs, 0)
  // On each of 100 connections a handshake, a ClientHello, and 12 segments a record.
  assert.equal(frames, 100 * (3 + 1 + records * (12 + 6)))
})
