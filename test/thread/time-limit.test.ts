import assert from 'node:assert/strict'
import { test } from 'node:test'
import { callWithin } from '../../src/thread/time-limit.ts'

/** (module (func (export "f") (loop (br 0)))) */
const LOOP = [
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0],
  ...[7, 5, 1, 1, 102, 0, 0, 10, 9, 1, 7, 0, 3, 64, 12, 0, 11, 11],
]

test('callWithin: calls, and passes on what is thrown', () => {
  let calls = 0
  callWithin(60_000, () => {
    calls += 1
  })
  assert.equal(calls, 1)
  const thrown = new Error('thrown by the test')
  const fail = (): never => {
    throw thrown
  }
  assert.throws(
    () => callWithin(60_000, fail),
    (error) => error === thrown,
  )
})

test('callWithin: a loop without end is an error, in JavaScript and in WebAssembly, and the next call works', () => {
  const program = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.of(...LOOP)))
  const endless = (): void => {
    for (;;);
  }
  for (const loop of [endless, program.exports['f'] as () => void]) {
    assert.throws(() => callWithin(50, loop), /timed out after 50/)
  }
  let called = false
  callWithin(60_000, () => {
    called = true
  })
  assert.ok(called)
})
