import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { RingDemand } from '../../../src/capture/af-packet/ring-demand.ts'

const BLOCKS = 16

test('ring demand: a ring is too small when more than three quarters of its blocks are read within ten seconds', () => {
  const demand = new RingDemand(BLOCKS)
  const answers = Array.from({ length: 2 * BLOCKS }, (_, index) => demand.addBlock(index))
  assert.equal(answers.indexOf(true), 12)
  assert.equal(answers.filter((isShort) => isShort).length, 1, 'reported once')
  assert.equal(demand.addBlock(10_000), false)
})

test('ring demand: a ring whose blocks last for ten seconds is large enough, whenever they are read', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 834, max: 20_000 })), (pauses) => {
      const demand = new RingDemand(BLOCKS)
      let now = 0
      for (const pause of pauses) {
        now += pause
        assert.equal(demand.addBlock(now), false)
      }
    }),
  )
})

test('ring demand: lasting traffic that is too much is reported in each ten seconds', () => {
  const demand = new RingDemand(BLOCKS)
  let reports = 0
  for (let now = 0; now < 60_000; now += 100) if (demand.addBlock(now)) reports += 1
  assert.equal(reports, 6)
})
