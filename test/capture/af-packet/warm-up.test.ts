import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CaptureWarmUp } from '../../../src/capture/af-packet/warm-up.ts'
import { CAPTURE_COUNTERS } from '../../../src/ledger/counters.ts'

test('capture warm-up: processes every generated frame like a captured one, and ends', () => {
  const { seen, queued } = CAPTURE_COUNTERS.index
  for (const ringCount of [1, 3]) {
    const warmUp = new CaptureWarmUp(ringCount)
    const { counters } = warmUp
    while (warmUp.step());
    assert.equal(counters[queued], counters[seen])
    assert.ok(counters[seen] >= 18_000)
  }
})
