import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ASSEMBLE_COUNTERS, allocateCounters, CAPTURE_COUNTERS, SHIP_COUNTERS } from '../../src/ledger/counters.ts'
import { count } from '../../src/ledger/ledger.ts'
import { RunLedger } from '../../src/ledger/run-ledger.ts'
import { assertLaws } from '../support/ledger.ts'

const { index: A } = ASSEMBLE_COUNTERS
const { index: S } = SHIP_COUNTERS

function captureBlock(queued: number) {
  const values = allocateCounters(CAPTURE_COUNTERS)
  values[CAPTURE_COUNTERS.index.seen] = queued
  values[CAPTURE_COUNTERS.index.queued] = queued
  return { layout: CAPTURE_COUNTERS, values }
}

test('RunLedger: sums the current blocks of every source', () => {
  const run = new RunLedger()
  const blocks = [captureBlock(1)]
  const interfaceBlocks = [captureBlock(10)]
  run.addSource({ blocks })
  run.addSource({ blocks: [captureBlock(100)], interfaceBlocks })
  assert.equal(count(run.ledger, 'frames.seen'), 111)
  assert.equal(run.framesQueued, 111)
  blocks.push(captureBlock(2))
  interfaceBlocks.pop()
  run.newAssembleBlock().fill(1000)
  assert.equal(count(run.ledger, 'frames.seen'), 103)
  assert.equal(run.framesQueued, 103)
})

test('RunLedger: `blocks` excludes those of captured interfaces, which are exported individually', () => {
  const run = new RunLedger()
  const own = captureBlock(1)
  run.addSource({ blocks: [own], interfaceBlocks: [captureBlock(10)] })
  run.newAssembleBlock()
  const [first] = run.blocks
  assert.equal(first, own)
  assert.equal(run.blocks.length, 3)
})

for (const reason of ['crash', 'shutdown'] as const) {
  test(`RunLedger: counts the frames and pairs left in rings as lost, by reason ${reason}`, () => {
    const run = new RunLedger()
    run.addSource({ blocks: [captureBlock(50)] })
    const [first, second] = [run.newAssembleBlock(), run.newAssembleBlock()]
    first[A.framesConsumed] = 20
    second[A.framesConsumed] = 15
    second[A.framesLostCrash] = 3
    for (const name of ['requests', 'responses', 'pairsAssembled', 'pairsKept'] as const) first[A[name]] = 9
    run.ship[S.shipped] = 4
    run.ship[S.droppedMaxAge] = 1
    run.ship[S.queued] = 2
    run.countLeftovers(reason)
    const { ledger } = run
    assertLaws(ledger)
    assert.equal(count(ledger, 'frames.lost'), 15)
    assert.equal(count(ledger, `frames.lost.${reason}`), reason === 'crash' ? 15 : 12)
    assert.equal(count(ledger, `pairs.dropped.${reason}`), 4)
  })
}
