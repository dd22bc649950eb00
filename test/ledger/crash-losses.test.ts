import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ASSEMBLE_COUNTERS, allocateCounters, CAPTURE_COUNTERS } from '../../src/ledger/counters.ts'
import { countAssemblerLosses, countCaptureLosses } from '../../src/ledger/crash-losses.ts'
import { count, sumLedger } from '../../src/ledger/ledger.ts'

const { index: C } = ASSEMBLE_COUNTERS

test('close books: whatever a crashed slot had counted, its flows and messages balance afterwards', () => {
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
  })
  fc.assert(
    fc.property(work, ({ open, fin, reset, waiting, timeout, pairs, inHand, orphans }) => {
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
      countAssemblerLosses(counts)
      const ledger = sumLedger([{ layout: ASSEMBLE_COUNTERS, values: counts }])
      assert.equal(count(ledger, 'flows.seen'), count(ledger, 'flows.closed'))
      assert.equal(count(ledger, 'flows.closed.crash'), open)
      assert.equal(count(ledger, 'requests.abandoned.crash'), waiting)
      assert.equal(count(ledger, 'responses.orphaned.crash'), inHand)
      assert.equal(count(ledger, 'flows.open') + count(ledger, 'requests.waiting'), 0)
    }),
  )
})

test('close books: a second crash adds only what was lost since', () => {
  const counts = allocateCounters(ASSEMBLE_COUNTERS)
  counts[C.flowsSeen] = 3
  countAssemblerLosses(counts)
  countAssemblerLosses(counts)
  assert.equal(counts[C.closedCrash], 3)
  counts[C.flowsSeen]++
  countAssemblerLosses(counts)
  assert.equal(counts[C.closedCrash], 4)
})

test('close books: frames that a crashed capture worker had seen and passed on nowhere are lost, and counted once', () => {
  const { index } = CAPTURE_COUNTERS
  const [own, gone, first, second] = Array.from({ length: 4 }, () => allocateCounters(CAPTURE_COUNTERS))
  first[index.seen] = 10
  first[index.queued] = 7
  first[index.skippedNonTcp] = 1
  // A fragment seen on one interface may be given up while another's frames are taken.
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
