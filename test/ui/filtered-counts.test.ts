import assert from 'node:assert/strict'
import { test } from 'node:test'
import { packPair } from '../../src/pair/unpack.ts'
import { PairSelector } from '../../src/select/selector.ts'
import { FilteredCounts } from '../../src/ui/filtered-counts.ts'
import type { StoreBounds } from '../../src/ui/pair-store.ts'
import { UiTraffic } from '../../src/ui/traffic.ts'
import { samplePair } from '../pair/samples.ts'

const errors = () => PairSelector.create({ grep: [], where: 'response.status >= 500' })

/** Pair `number` arrives `number` seconds after the first; every third fails. */
function add(traffic: UiTraffic, from: number, to: number): void {
  for (let number = from; number < to; number += 1) {
    const startMicros = 1_000_000 * number
    traffic.add(
      packPair(
        samplePair({
          requestStartMicros: startMicros,
          responseEndMicros: startMicros + 1000,
          request: { target: `/items-${number}` },
          response: { status: number % 3 === 0 ? 500 : 200 },
        }),
      ),
    )
  }
}

const trafficOf = (pairs: number, bounds?: StoreBounds): UiTraffic => {
  const traffic = new UiTraffic(bounds)
  add(traffic, 0, pairs)
  return traffic
}

test('filtered counts: counts only pairs that the filter selects, in the table and on the map', async () => {
  const traffic = trafficOf(30)
  const counts = await new FilteredCounts(traffic).of('errors', errors)
  const { rows, missed } = counts.routes('status', 'requests')
  assert.deepEqual([rows.map(({ group, requests }) => [group, requests]), missed], [[['500', 10]], 0])
  assert.deepEqual(
    counts.map().edges.map(({ requests, serverErrors }) => [requests, serverErrors]),
    [[10, 10]],
  )
})

test('filtered counts: rates and histories refer to the time of all pairs', async () => {
  const traffic = trafficOf(31)
  const filtered = new FilteredCounts(traffic)
  const where = 'request.path == "/items-30"'
  const { rows } = (await filtered.of('one', () => PairSelector.create({ grep: [], where }))).routes(
    'route',
    'requests',
  )
  assert.equal(rows[0]?.perSecond.toFixed(3), '0.033')
  const failed = traffic.counts.routes('status', 'requests').rows.find(({ group }) => group === '500')
  const lastPeriod = (history: readonly number[] = []): number => history.findLastIndex((count) => count > 0)
  assert.equal(lastPeriod(rows[0]?.history), lastPeriod(failed?.history))
})

test('filtered counts: counts later pairs once, and creates the filter once', async () => {
  const traffic = trafficOf(30)
  const filtered = new FilteredCounts(traffic)
  let created = 0
  const of = () =>
    filtered.of('errors', () => {
      created += 1
      return errors()
    })
  await of()
  add(traffic, 30, 60)
  await Promise.all([of(), of()])
  assert.deepEqual([(await of()).routes('status', 'requests').rows.map(({ requests }) => requests), created], [[20], 1])
})

test('filtered counts: reports the number of pairs that were no longer held', async () => {
  const counts = await new FilteredCounts(trafficOf(100, { pairs: 10, bytes: 1e9 })).of('errors', errors)
  const { rows, missed } = counts.routes('status', 'requests')
  // Pairs 90, 93, 96 and 99.
  assert.deepEqual([rows[0]?.requests, missed, counts.map().missed], [4, 90, 90])
})

test('filtered counts: a filter that selects everything uses the counts of all pairs', async () => {
  const traffic = trafficOf(100, { pairs: 10, bytes: 1e9 })
  assert.equal(await new FilteredCounts(traffic).of('', async () => null), traffic.counts)
})

test('filtered counts: keeps the counts of few filters', async () => {
  const filtered = new FilteredCounts(trafficOf(3))
  const first = await filtered.of('first', errors)
  for (const name of ['a', 'b', 'c']) await filtered.of(name, errors)
  assert.equal(await filtered.of('first', errors), first)
  for (const name of ['d', 'e', 'f', 'g']) await filtered.of(name, errors)
  assert.notEqual(await filtered.of('first', errors), first)
})

test('filtered counts: the event loop keeps running while a filter is evaluated on many pairs', async () => {
  const traffic = trafficOf(20_000)
  let turns = 0
  const timer = setInterval(() => {
    turns += 1
  }, 1)
  await new FilteredCounts(traffic).of('errors', errors)
  clearInterval(timer)
  assert.ok(turns >= 2, String(turns))
})
