import assert from 'node:assert/strict'
import { test } from 'node:test'
import { allocateCounters, SHIP_COUNTERS } from '../../src/ledger/counters.ts'
import { type DropReason, ShipLedger } from '../../src/ledger/ship-ledger.ts'

const REASONS: readonly DropReason[] = ['maxAge', 'bufferBytes', 'rejected', 'shutdown', 'crash']

/** A ledger and its counters by name, without those that are zero. */
function newLedger(): { ledger: ShipLedger; counted: () => Record<string, number> } {
  const counters = new Float64Array(allocateCounters(SHIP_COUNTERS))
  const counted = (): Record<string, number> =>
    Object.fromEntries(
      Object.entries(SHIP_COUNTERS.index)
        .map(([name, at]) => [name, counters[at]] as const)
        .filter(([, value]) => value !== 0),
    )
  return { ledger: new ShipLedger(counters), counted }
}

test('ship ledger: sums pairs and bytes, and replaces the gauge of held pairs', () => {
  const { ledger, counted } = newLedger()
  ledger.read(7)
  ledger.shipped(2, 300)
  ledger.shipped(1, 50)
  ledger.shippedBytes(5)
  ledger.queued = 4
  ledger.queued = 3
  assert.deepEqual(counted(), { pairsRead: 7, shipped: 3, bytesShipped: 355, queued: 3 })
  assert.equal(ledger.shippedPairs, 3)
})

test('ship ledger: counts each drop reason separately', () => {
  const { ledger, counted } = newLedger()
  for (const [index, reason] of REASONS.entries()) ledger.dropped(reason, 10 ** index)
  assert.deepEqual(counted(), {
    droppedMaxAge: 1,
    droppedBufferBytes: 10,
    droppedRejected: 100,
    droppedShutdown: 1000,
    droppedCrash: 10_000,
  })
})

test('ship ledger: a cell is the counter of its reason, or of shipped pairs', () => {
  for (const what of ['shipped', ...REASONS] as const) {
    const { ledger, counted } = newLedger()
    const { counts, index } = ledger.cell(what)
    counts[index] += 5
    const byCell = counted()
    counts[index] = 0
    if (what === 'shipped') ledger.shipped(5, 0)
    else ledger.dropped(what, 5)
    assert.deepEqual(byCell, counted())
  }
})
