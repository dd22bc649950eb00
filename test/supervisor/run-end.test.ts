import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EXIT_DAMAGED, EXIT_DONE, EXIT_PRIVILEGE, EXIT_RUNTIME, type Failure } from '../../src/errors.ts'
import { ASSEMBLE_COUNTERS, SHIP_COUNTERS } from '../../src/ledger/counters.ts'
import { count } from '../../src/ledger/ledger.ts'
import { RunLedger } from '../../src/ledger/run-ledger.ts'
import { RunEnd } from '../../src/supervisor/run-end.ts'

const failure = (message: string, exitCode: Failure['exitCode'] = EXIT_RUNTIME): Failure => ({
  message,
  exitCode,
  hint: null,
})
const DAMAGE = { path: 'a.pcap', offset: 7, reason: 'cut short' }
const LIVE = { hasCrashed: false, readsFiles: false }
const FILES = { hasCrashed: false, readsFiles: true }

/** The ledger of workers that left three pairs in a ring. */
function ledgerWithLeftPairs(): RunLedger {
  const run = new RunLedger()
  run.newAssembleBlock()[ASSEMBLE_COUNTERS.index.pairsKept] = 5
  run.ship[SHIP_COUNTERS.index.shipped] = 2
  return run
}

test('RunEnd: a run without stop or failure is done', () => {
  const { exitCode, failure: why, damage } = new RunEnd().outcome(new RunLedger(), FILES)
  assert.deepEqual([exitCode, why, damage], [EXIT_DONE, null, []])
})

test('RunEnd: the first failure determines the result, whatever other parts report', () => {
  const end = new RunEnd()
  end.fail(null)
  assert.equal(end.hasFailed, false)
  end.fail(failure('first', EXIT_PRIVILEGE))
  end.fail(failure('second'))
  end.fail(null)
  assert.equal(end.hasFailed, true)
  const outcome = end.outcome(new RunLedger(), LIVE)
  assert.deepEqual([outcome.exitCode, outcome.failure?.message], [EXIT_PRIVILEGE, 'first'])
})

test('RunEnd: damage has an exit code of its own, which a failure overrides', () => {
  const end = new RunEnd()
  end.addDamage(DAMAGE)
  const damaged = end.outcome(new RunLedger(), FILES)
  assert.deepEqual([damaged.exitCode, damaged.failure, damaged.damage], [EXIT_DAMAGED, null, [DAMAGE]])
  end.fail(failure('full disk'))
  assert.equal(end.outcome(new RunLedger(), FILES).exitCode, EXIT_RUNTIME)
})

test('RunEnd: after a crash the pairs of a file may be missing, which fails the run; live capture continues', () => {
  const crashed = (readsFiles: boolean) => new RunEnd().outcome(new RunLedger(), { hasCrashed: true, readsFiles })
  assert.match(crashed(true).failure?.message ?? '', /pairs may be missing/)
  assert.equal(crashed(true).exitCode, EXIT_RUNTIME)
  assert.deepEqual([crashed(false).exitCode, crashed(false).failure], [EXIT_DONE, null])
})

test('RunEnd: what workers leave behind counts as lost by a shutdown if the run was stopped, and otherwise by a crash', () => {
  const lost = (end: RunEnd, hasCrashed: boolean): [number, number] => {
    const { ledger } = end.outcome(ledgerWithLeftPairs(), { hasCrashed, readsFiles: false })
    return [count(ledger, 'pairs.dropped.shutdown'), count(ledger, 'pairs.dropped.crash')]
  }
  const stopped = new RunEnd()
  stopped.stop()
  const drained = new RunEnd()
  drained.drain()
  assert.deepEqual(
    [stopped.isStopping, stopped.isDraining, drained.isStopping, drained.isDraining],
    [true, false, false, true],
  )
  assert.deepEqual(lost(stopped, false), [3, 0])
  assert.deepEqual(lost(stopped, true), [3, 0])
  assert.deepEqual(lost(drained, true), [0, 3])
  assert.deepEqual(lost(drained, false), [0, 0])
})
