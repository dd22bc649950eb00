import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { KernelThreshold } from '../../../src/capture/af-packet/kernel-threshold.ts'
import { KEEP_ALL } from '../../../src/capture/intake/flow-shedder.ts'

test('kernel threshold: the kernel sheds only while the intake sheds', () => {
  const kernel = new KernelThreshold()
  assert.equal(kernel.follow(KEEP_ALL), KEEP_ALL)
  const shedding = kernel.follow(KEEP_ALL / 4)
  assert.ok(shedding < KEEP_ALL / 3 && shedding >= KEEP_ALL / 4)
  assert.equal(kernel.follow(KEEP_ALL / 4 + 10), shedding, 'small changes need no other filter')
  assert.equal(kernel.follow(KEEP_ALL), KEEP_ALL)
})

test('kernel threshold: sheds nothing that the intake keeps, and keeps at most 1.3 times as many connections', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: KEEP_ALL })), (thresholds) => {
      const kernel = new KernelThreshold()
      for (const threshold of thresholds) {
        const keep = kernel.follow(threshold)
        assert.ok(keep >= threshold)
        assert.ok(keep <= threshold * 1.3 + 1)
      }
    }),
  )
})
