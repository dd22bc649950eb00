/** The counts of the page against a model that keeps all pairs. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Pair } from '../../src/pair/pair.ts'
import { GROUPINGS } from '../../src/routes/route-names.ts'
import { PairCounts } from '../../src/ui/pair-counts.ts'
import { ServerNames } from '../../src/ui/server-names.ts'
import { samplePair } from '../pair/samples.ts'
import { propertyRuns } from '../support/property-runs.ts'

const SECOND = 1_000_000

const anyExchange = fc.record({
  second: fc.nat(100),
  client: fc.constantFrom('10.0.0.5', '10.0.0.6'),
  server: fc.constantFrom('10.0.0.9', '10.0.0.10'),
  status: fc.constantFrom(200, 404, 503),
  isSelected: fc.boolean(),
})
type Exchange = typeof anyExchange extends fc.Arbitrary<infer T> ? T : never

const pairOf = ({ second, client, server, status }: Exchange): Pair =>
  samplePair({
    requestStartMicros: second * SECOND,
    responseEndMicros: second * SECOND + 1000,
    client: { address: client, port: 1024, pod: null },
    server: { address: server, port: 80, pod: null },
    response: { status },
  })

/** The number of occurrences of each name. */
function tally(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1
  return counts
}

test('PairCounts: model: every table and the map count the added pairs, over the time of all pairs', () => {
  fc.assert(
    fc.property(fc.array(anyExchange, { minLength: 1, maxLength: 30 }), (exchanges) => {
      const counts = new PairCounts(new ServerNames())
      for (const exchange of exchanges) {
        if (exchange.isSelected) counts.add(pairOf(exchange))
        else counts.pass(pairOf(exchange))
      }
      const added = exchanges.filter(({ isSelected }) => isSelected)
      const times = exchanges.map(({ second }) => second)
      const seconds = Math.max(1, Math.max(...times) - Math.min(...times) + 0.001)
      for (const by of GROUPINGS) {
        const view = counts.routes(by, 'requests')
        assert.deepEqual([view.by, view.missed], [by, 0])
        assert.ok(Math.abs(view.seconds - seconds) < 1e-6, `${view.seconds} is not ${seconds}`)
        const sum = view.rows.reduce((total, { requests }) => total + requests, 0)
        assert.equal(sum, added.length, by)
      }
      const byStatus = counts.routes('status', 'requests').rows
      assert.deepEqual(
        Object.fromEntries(byStatus.map(({ group, requests }) => [group, requests])),
        tally(added.map(({ status }) => String(status))),
      )
      const { edges, nodes, other, missed } = counts.map()
      assert.deepEqual(
        Object.fromEntries(edges.map(({ from, to, requests }) => [`${from} ${to}`, requests])),
        tally(added.map(({ client, server }) => `${client} ${server}`)),
      )
      assert.deepEqual(
        new Set(nodes.map(({ id }) => id)),
        new Set(added.flatMap(({ client, server }) => [client, server])),
      )
      assert.deepEqual([other, missed], [0, 0])
      for (const { requests, perSecond } of edges) {
        assert.ok(Math.abs(perSecond * seconds - requests) < 1e-6, `${perSecond} per second in ${seconds} s`)
      }
    }),
    { numRuns: propertyRuns(400) },
  )
})

test('PairCounts: every view reports the pairs that could not be counted', () => {
  const counts = new PairCounts(new ServerNames())
  counts.missed += 3
  assert.deepEqual([counts.routes('host', 'p99').missed, counts.map().missed], [3, 3])
})
