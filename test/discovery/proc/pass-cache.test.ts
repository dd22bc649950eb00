import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { PassCache } from '../../../src/discovery/proc/pass-cache.ts'

const step = fc.record({ do: fc.constantFrom('pass', 'use', 'set'), netns: fc.nat(3), entry: fc.nat() })

test('pass cache: keeps exactly the entries that the current or the last pass used', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
      const cache = new PassCache<number>()
      const model = new Map<number, { entry: number; pass: number }>()
      let pass = 0
      for (const { do: what, netns, entry } of steps) {
        if (what === 'pass') {
          cache.beginPass()
          for (const [key, known] of model) if (known.pass !== pass) model.delete(key)
          pass += 1
        } else if (what === 'set') {
          cache.set(netns, entry)
          model.set(netns, { entry, pass })
        } else {
          const known = model.get(netns)
          if (known !== undefined) known.pass = pass
          assert.equal(cache.use(netns), known?.entry)
        }
        assert.equal(cache.pass, pass)
      }
    }),
  )
})
