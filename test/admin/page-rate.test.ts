import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PageRate } from '../../src/admin/page-rate.ts'

const RATES = { perPeer: 4, total: 10 }

/** @returns how many of these requests were admitted */
const ask = (rate: PageRate, peer: string, requests: number, isLocal = false): number =>
  Array.from({ length: requests }, () => rate.admit(peer, isLocal)).filter(Boolean).length

test('PageRate: limits each peer, all together, and both kinds of peers apart', () => {
  let now = 0
  const rate = new PageRate(RATES, () => now)
  assert.equal(ask(rate, 'a', 9), 4)
  assert.equal(ask(rate, 'b', 4), 4)
  assert.equal(ask(rate, 'c', 4), 2)
  assert.equal(ask(rate, '127.0.0.1', 9, true), 4)
  assert.equal(rate.refused, 5 + 2 + 5)
  now = 500
  assert.equal(ask(rate, 'a', 9), 2)
  now = 60_000
  assert.equal(ask(rate, 'a', 9), 4)
})

test('PageRate: many peers get no more than the total, and what it remembers of them is bounded', () => {
  const rate = new PageRate(RATES, () => 0)
  let admitted = 0
  for (let i = 0; i < 5000; i += 1) admitted += ask(rate, `peer ${i}`, 2)
  assert.equal(admitted, 10)
  // Forgotten peers have a full bucket again; the total still holds.
  assert.equal(ask(rate, 'peer 0', 9), 0)
})
