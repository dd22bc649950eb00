import assert from 'node:assert/strict'
import { test } from 'node:test'
import { IdPool } from '../../../src/supervisor/targets/id-pool.ts'

test('IdPool: reuses a number only after enough later releases of others', () => {
  const ids = new IdPool(5, 2)
  const taken = [ids.acquire(), ids.acquire(), ids.acquire()]
  assert.deepEqual(taken, [5, 6, 7])
  ids.release(6)
  assert.equal(ids.acquire(), 8)
  ids.release(5)
  assert.equal(ids.acquire(), 9)
  ids.release(7)
  assert.equal(ids.acquire(), 6, 'two were given back after it')
})

test('IdPool: is exhausted while all numbers are held or in quarantine', () => {
  const ids = new IdPool(0, 1, 3)
  for (const id of [0, 1, 2]) {
    assert.equal(ids.isExhausted, false)
    assert.equal(ids.acquire(), id)
  }
  assert.equal(ids.isExhausted, true)
  ids.release(1)
  assert.equal(ids.isExhausted, true, 'in quarantine')
  ids.release(0)
  assert.equal(ids.isExhausted, false)
  assert.equal(ids.acquire(), 1)
  assert.equal(ids.isExhausted, true)
})

test('IdPool: after a thousand changes, uses no more numbers than are held or in quarantine', () => {
  const ids = new IdPool(0, 16)
  const held = Array.from({ length: 10 }, () => ids.acquire())
  let largest = 0
  for (let change = 0; change < 1000; change++) {
    ids.release(held.shift()!)
    const id = ids.acquire()
    assert.ok(!held.includes(id))
    held.push(id)
    largest = Math.max(largest, id)
  }
  assert.ok(largest <= 10 + 16, `${largest}`)
})
