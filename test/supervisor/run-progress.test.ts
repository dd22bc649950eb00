import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ASSEMBLE_COUNTERS } from '../../src/ledger/counters.ts'
import { RunLedger } from '../../src/ledger/run-ledger.ts'
import type { Progress } from '../../src/supervisor/options.ts'
import { RunProgress } from '../../src/supervisor/run-progress.ts'

test('RunProgress: a check reports the latest counts once frames are captured', () => {
  const reports: Progress[] = []
  const progress = new RunProgress(new RunLedger(), (one) => reports.push(one))
  progress.check()
  assert.deepEqual(reports, [])
  progress.begin()
  progress.check()
  progress.read(10, 30)
  progress.read(20, 30)
  progress.check()
  assert.deepEqual(
    reports.map(({ bytes, totalBytes }) => [bytes, totalBytes]),
    [
      [0, null],
      [20, 30],
    ],
  )
})

test('RunProgress: can be reported earlier, and sums the pairs when they are read', () => {
  const ledger = new RunLedger()
  const kept = ledger.newAssembleBlock()
  const reports: Progress[] = []
  const progress = new RunProgress(ledger, (one) => reports.push(one))
  progress.report()
  kept[ASSEMBLE_COUNTERS.index.pairsKept] = 4
  assert.deepEqual(
    reports.map(({ pairs }) => pairs),
    [4],
  )
})

test('RunProgress: reports nothing without a callback', () => {
  const progress = new RunProgress(new RunLedger(), null)
  progress.begin()
  assert.doesNotThrow(() => progress.check())
})
