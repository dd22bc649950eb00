import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assemblerMemory } from '../../src/assemble/assembler.ts'
import { warmUpAssembler } from '../../src/assemble/warm-up.ts'
import { assemblerOptions } from '../support/assemble-harness.ts'

test('assembler warm-up: assembles pairs, and ends after some rounds or as soon as frames wait', () => {
  const options = assemblerOptions({ stateBytes: 1024 * 1024 })
  for (const [waitAfter, rounds] of [
    [0, 1],
    [3, 3],
    [100, 5],
  ]) {
    let [asked, pairs] = [0, 0]
    const emit = (): boolean => ++pairs > 0
    warmUpAssembler(assemblerMemory(options), options, { emit }, () => ++asked < waitAfter)
    assert.equal(pairs, rounds * 256)
  }
})
