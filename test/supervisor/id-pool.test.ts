import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Domains } from '../../src/supervisor/domains.ts'
import { IdPool } from '../../src/supervisor/id-pool.ts'

test('late ids: a number rests until so many others were given back after it', () => {
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

test('late ids: a thousand changes need no more numbers than are held and rest', () => {
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

test('domains: one number a namespace while any of its interfaces is captured, another one later', () => {
  const domains = new Domains(1000)
  assert.deepEqual([domains.enter(null), domains.enter(1000)], [0, 0])
  assert.deepEqual([domains.enter(7), domains.enter(8), domains.enter(7)], [1, 2, 1])
  domains.leave(7)
  assert.equal(domains.enter(7), 1, 'one was left')
  domains.leave(7)
  domains.leave(7)
  domains.leave(null)
  assert.equal(domains.enter(7), 3, 'its inode may be another namespace by now')
})
