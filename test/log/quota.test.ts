import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Quota } from '../../src/log/quota.ts'

test('Quota: accounts for every record exactly once, and admits no more than its limit per key and period', () => {
  const step = fc.record({ key: fc.constantFrom('a', 'b', 'c'), afterMs: fc.nat(60), flush: fc.boolean() })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 200, size: 'max' }), (limit, steps) => {
      let [admitted, reported, now] = [0, 0, 0]
      const windows = new Map<string, { start: number; admitted: number }>()
      const quota = new Quota<number>(limit, 100, (_, held) => {
        reported += held
      })
      steps.forEach(({ key, afterMs, flush }, i) => {
        now += afterMs
        const held = quota.admit(key, i, now)
        const window = windows.get(key)
        const inWindow = window !== undefined && now - window.start < 100
        assert.equal(held !== null, !inWindow || window.admitted < limit)
        if (held !== null) {
          admitted += 1
          reported += held
          if (inWindow) window.admitted += 1
          else windows.set(key, { start: now, admitted: 1 })
        }
        if (flush) quota.flush()
      })
      quota.flush()
      assert.equal(admitted + reported, steps.length)
    }),
  )
})

test('Quota: reports the newest suppressed record', () => {
  const reports: [string, number][] = []
  const quota = new Quota<string>(1, 100, (last, held) => reports.push([last, held]))
  for (const record of ['first', 'second', 'third']) quota.admit('key', record, 0)
  quota.flush()
  quota.flush()
  assert.deepEqual(reports, [['third', 2]])
})

test('Quota: holds a bounded number of keys, and reports the suppressed records of an evicted one', () => {
  let reported = 0
  const quota = new Quota<null>(1, 100, (_, held) => {
    reported += held
  })
  for (let key = 0; key < 1000; key++) {
    quota.admit(`${key}`, null, 0)
    quota.admit(`${key}`, null, 0)
  }
  assert.equal(reported, 1000 - 256)
  quota.flush()
  assert.equal(reported, 1000)
})

test('Quota: forgets everything on reset', () => {
  const quota = new Quota<null>(1, 100, () => assert.fail('nothing is left to report'))
  quota.admit('key', null, 0)
  assert.equal(quota.admit('key', null, 0), null)
  quota.reset()
  assert.equal(quota.admit('key', null, 0), 0)
  quota.flush()
})

test('Quota: sums the counts of suppressed records, and can forget one key', () => {
  const reports: [string, number][] = []
  const quota = new Quota<string>(1, 100, (last, held) => reports.push([last, held]))
  for (const key of ['a', 'b']) for (const weight of [2, 3, 4]) quota.admit(key, `${key}${weight}`, 0, weight)
  assert.equal(quota.forget('a'), 7)
  assert.equal(quota.forget('a'), 0)
  assert.equal(quota.admit('a', 'a', 1, 5), 0)
  quota.flush()
  assert.deepEqual(reports, [['b4', 7]])
})
