/** What is kept of all pairs, against a model of the counts and the clock. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { packPair } from '../../src/pair/unpack.ts'
import type { UiSource } from '../../src/ui/source.ts'
import { UiTraffic } from '../../src/ui/traffic.ts'
import { samplePair } from '../pair/samples.ts'

const SOURCE: UiSource = {
  kind: 'live',
  title: 'eth0',
  ended: false,
  failure: null,
  ledger: async () => null,
  targets: async () => ({ of: null, rows: [], leftOut: 0 }),
}
const PAIR = packPair(samplePair({ server: { address: '10.0.0.9', port: 80, pod: null } }))
const HELD = 3

type Step = { do: 'pairs' | 'foreign'; count: number } | { do: 'pass'; ms: number } | { do: 'look' }

const count = fc.integer({ min: 1, max: 5 })
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom('pairs' as const, 'pairs' as const, 'foreign' as const), count }),
  fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(1, 400, 1000, 2500) }),
  fc.constant({ do: 'look' as const }),
)

test('ui traffic: model: counts all pairs, holds the newest, and the rate is that of the last period of a second or more', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40, size: 'max' }), (steps) => {
      let nowMs = 5000
      const traffic = new UiTraffic({ pairs: HELD, bytes: 1e9 }, () => nowMs)
      let [seen, foreign] = [0, 0]
      // Start of the current period, and the number of pairs at that time.
      let period = { atMs: nowMs, seen: 0 }
      let perSecond = 0
      for (const one of steps) {
        if (one.do === 'pass') nowMs += one.ms
        else if (one.do === 'pairs') {
          for (let left = one.count; left > 0; left -= 1) assert.equal(traffic.add(PAIR), true)
          seen += one.count
        } else if (one.do === 'foreign') {
          for (let left = one.count; left > 0; left -= 1) assert.equal(traffic.add(Buffer.from('text')), false)
          foreign += one.count
        } else {
          if (nowMs - period.atMs >= 1000) {
            perSecond = (seen - period.seen) / ((nowMs - period.atMs) / 1000)
            period = { atMs: nowMs, seen }
          }
          const state = traffic.state(SOURCE)
          assert.deepEqual([state.seen, state.held, state.foreign], [seen, Math.min(seen, HELD), foreign])
          assert.equal(state.heldBytes, state.held * PAIR.length)
          assert.ok(Math.abs(state.perSecond - perSecond) < 1e-9, `${state.perSecond}, not ${perSecond}`)
        }
      }
      const [row] = traffic.counts.routes('route', 'requests').rows
      assert.equal(row?.requests ?? 0, seen)
    }),
  )
})

test('ui traffic: the rate is 0 once the source has ended', () => {
  let nowMs = 0
  const traffic = new UiTraffic(undefined, () => nowMs)
  for (let left = 10; left > 0; left -= 1) traffic.add(PAIR)
  nowMs = 1000
  assert.equal(traffic.state(SOURCE).perSecond, 10)
  assert.equal(traffic.state({ ...SOURCE, ended: true }).perSecond, 0)
})

test('ui traffic: collects server names, and reports what the source could not pass on', () => {
  const traffic = new UiTraffic()
  const request = { headers: [['Host', 'shop.test']] as [string, string][] }
  traffic.add(packPair(samplePair({ request, server: { address: '10.0.0.9', port: 80, pod: null } })))
  traffic.notReceived = 4
  assert.equal(traffic.names.labelOf('10.0.0.9'), 'shop.test')
  assert.equal(traffic.state(SOURCE).notReceived, 4)
})
