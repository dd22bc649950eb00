import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ASSEMBLE_COUNTERS, allocateCounters, CAPTURE_COUNTERS, SHIP_COUNTERS } from '../../src/ledger/counters.ts'
import { countAssemblerLosses, countCaptureLosses, countShipperLosses } from '../../src/ledger/crash-losses.ts'
import { count, sumLedger } from '../../src/ledger/ledger.ts'

const { index: C } = ASSEMBLE_COUNTERS

test('crash losses: frames, flows and messages of an assembler balance, whatever it had counted', () => {
  const some = fc.nat(1000)
  const work = fc.record({
    open: some,
    fin: some,
    reset: some,
    waiting: some,
    timeout: some,
    pairs: some,
    inHand: some,
    orphans: some,
    consumed: some,
    unread: some,
  })
  fc.assert(
    fc.property(work, ({ open, fin, reset, waiting, timeout, pairs, inHand, orphans, consumed, unread }) => {
      const counts = allocateCounters(ASSEMBLE_COUNTERS)
      counts[C.flowsSeen] = open + fin + reset
      counts[C.flowsOpen] = open
      counts[C.closedFin] = fin
      counts[C.closedReset] = reset
      counts[C.requests] = waiting + timeout + pairs
      counts[C.requestsWaiting] = waiting
      counts[C.abandonedTimeout] = timeout
      counts[C.pairsAssembled] = pairs
      counts[C.responses] = pairs + inHand + orphans
      counts[C.orphanedNoRequest] = orphans
      counts[C.framesRead] = consumed + unread
      counts[C.framesConsumed] = consumed
      countAssemblerLosses(counts)
      const ledger = sumLedger([{ layout: ASSEMBLE_COUNTERS, values: counts }])
      assert.equal(count(ledger, 'frames.lost.crash'), unread)
      assert.equal(count(ledger, 'flows.seen'), count(ledger, 'flows.closed'))
      assert.equal(count(ledger, 'flows.closed.crash'), open)
      assert.equal(count(ledger, 'requests.abandoned.crash'), waiting)
      assert.equal(count(ledger, 'responses.orphaned.crash'), inHand)
      assert.equal(count(ledger, 'flows.open') + count(ledger, 'requests.waiting'), 0)
    }),
  )
})

test('crash losses: a second crash of an assembler adds only the losses since the first', () => {
  const counts = allocateCounters(ASSEMBLE_COUNTERS)
  counts[C.flowsSeen] = 3
  counts[C.framesRead] = 9
  counts[C.framesConsumed] = 5
  countAssemblerLosses(counts)
  countAssemblerLosses(counts)
  assert.deepEqual([counts[C.closedCrash], counts[C.framesLostCrash]], [3, 4])
  counts[C.flowsSeen]++
  counts[C.framesRead] += 2
  counts[C.framesConsumed]++
  countAssemblerLosses(counts)
  assert.deepEqual([counts[C.closedCrash], counts[C.framesLostCrash]], [4, 5])
})

test('crash losses: frames that a capture worker had counted but not queued are counted once', () => {
  const { index } = CAPTURE_COUNTERS
  const [own, gone, first, second] = Array.from({ length: 4 }, () => allocateCounters(CAPTURE_COUNTERS))
  first[index.seen] = 10
  first[index.queued] = 7
  first[index.skippedNonTcp] = 1
  // A fragment seen on one interface may be dropped while another's frames are counted.
  second[index.seen] = 5
  second[index.queued] = 4
  second[index.droppedFragment] = 2
  gone[index.seen] = 3
  gone[index.droppedRing] = 2
  const blocks = [own, gone, first, second]
  countCaptureLosses(blocks, gone)
  countCaptureLosses(blocks, gone)
  assert.equal(gone[index.droppedCrash], 2)
  const ledger = sumLedger(blocks.map((values) => ({ layout: CAPTURE_COUNTERS, values })))
  assert.equal(count(ledger, 'frames.seen'), 18)
  assert.equal(count(ledger, 'frames.queued') + count(ledger, 'frames.skipped') + count(ledger, 'frames.dropped'), 18)
})

test('crash losses: pairs that the shipper had read, but neither shipped, dropped nor left behind, are counted once', () => {
  const { index } = SHIP_COUNTERS
  const counts = allocateCounters(SHIP_COUNTERS)
  counts[index.pairsRead] = 20
  counts[index.shipped] = 11
  counts[index.droppedMaxAge] = 2
  counts[index.queued] = 6
  countShipperLosses(counts, 4)
  countShipperLosses(counts, 4)
  assert.deepEqual([counts[index.droppedCrash], counts[index.queued]], [3, 4])
})

test('crash losses: pairs that survived the shipper before it counted them are counted as read', () => {
  const { index } = SHIP_COUNTERS
  const counts = allocateCounters(SHIP_COUNTERS)
  counts[index.pairsRead] = 20
  counts[index.shipped] = 20
  countShipperLosses(counts, 5)
  assert.deepEqual([counts[index.pairsRead], counts[index.droppedCrash], counts[index.queued]], [25, 0, 5])
})
