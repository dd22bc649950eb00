import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ASSEMBLE_COUNTERS,
  allocateCounters,
  CAPTURE_COUNTERS,
  SHIP_COUNTERS,
  TARGET_COUNTERS,
} from '../../src/ledger/counters.ts'
import { sumLedger } from '../../src/ledger/ledger.ts'
import { lossesOf } from '../../src/ledger/losses.ts'

const LAYOUTS = [CAPTURE_COUNTERS, ASSEMBLE_COUNTERS, TARGET_COUNTERS, SHIP_COUNTERS]

/** What the names in a path say about a loss, wherever in the ledger it is. */
const LOSS = /^(?!interfaces)(?:.+\.(?:dropped|lost)\..+|.+\.(?:evicted|crash|kernelDropped|kernelShed|noRoom|bound))$/

test('losses: every counter of a loss is reported under its name, and no other', () => {
  const blocks = LAYOUTS.map((layout) => ({ layout, values: allocateCounters(layout) }))
  assert.deepEqual(lossesOf(sumLedger(blocks)), {})
  let next = 1
  const expected = new Map<string, number>()
  for (const { layout, values } of blocks) {
    for (const [index, path] of layout.paths.entries()) {
      values[index] = next
      if (LOSS.test(path)) expected.set(path, next)
      next += 1
    }
  }
  assert.deepEqual(new Map(Object.entries(lossesOf(sumLedger(blocks)))), expected)
})
