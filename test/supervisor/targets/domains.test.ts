import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Domains } from '../../../src/supervisor/targets/domains.ts'

const OWN = 1

test('Domains: the process’s own namespace is domain 0, by its inode or without one', () => {
  const domains = new Domains(OWN)
  assert.deepEqual([domains.enter(null), domains.enter(OWN)], [0, 0])
  domains.leave(null)
  domains.leave(OWN)
  assert.equal(domains.enter(null), 0)
})

test('Domains: model: interfaces share a number exactly if they are in one namespace and one of them stays captured', () => {
  const step = fc.record({ inode: fc.integer({ min: OWN, max: 6 }), enters: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200, size: 'max' }), (steps) => {
      const domains = new Domains(OWN)
      const held = new Map<number, { id: number; count: number }>()
      for (const { inode, enters } of steps) {
        const known = held.get(inode)
        if (enters) {
          const id = domains.enter(inode)
          if (known !== undefined) assert.equal(id, known.id)
          held.set(inode, { id, count: (known?.count ?? 0) + 1 })
        } else if (known !== undefined) {
          domains.leave(inode)
          if (known.count === 1) held.delete(inode)
          else known.count -= 1
        }
        const ids = [...held.values()].map(({ id }) => id)
        assert.equal(new Set(ids).size, ids.length)
      }
    }),
  )
})

test('Domains: a namespace keeps its number while any of its interfaces is captured, and gets another one later', () => {
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
