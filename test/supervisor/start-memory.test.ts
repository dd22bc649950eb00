import assert from 'node:assert/strict'
import { test } from 'node:test'
import { returnStartMemory } from '../../src/supervisor/start-memory.ts'

/** @param sheddingMs for how long connections are shed @returns the second in which the memory is returned */
function secondOfReturn(t: import('node:test').TestContext, sheddingMs: number): number {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  let nowMs = 0
  let returned: number | null = null
  returnStartMemory(
    () => {
      assert.equal(returned, null, 'once')
      returned = nowMs
    },
    () => nowMs < sheddingMs,
  )
  while (nowMs < 120_000) {
    nowMs += 1000
    t.mock.timers.tick(1000)
  }
  t.mock.timers.reset()
  return returned! / 1000
}

test('start memory: is returned after 5 s, later while connections are shed, and after a minute in any case', (t) => {
  assert.deepEqual(
    [0, 4000, 12_000, 59_000, Number.POSITIVE_INFINITY].map((sheddingMs) => secondOfReturn(t, sheddingMs)),
    [5, 5, 15, 60, 60],
  )
})
