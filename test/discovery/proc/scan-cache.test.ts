import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ScanCache } from '../../../src/discovery/proc/scan-cache.ts'

const step = fc.record({ do: fc.constantFrom('scan', 'use', 'set'), netns: fc.nat(3), entry: fc.nat() })

test('scan cache: keeps exactly the entries that the current or the last scan used', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
      const cache = new ScanCache<number>()
      const model = new Map<number, { entry: number; scan: number }>()
      let scan = 0
      for (const { do: what, netns, entry } of steps) {
        if (what === 'scan') {
          cache.beginScan()
          for (const [key, known] of model) if (known.scan !== scan) model.delete(key)
          scan += 1
        } else if (what === 'set') {
          cache.set(netns, entry)
          model.set(netns, { entry, scan })
        } else {
          const known = model.get(netns)
          if (known !== undefined) known.scan = scan
          assert.equal(cache.use(netns), known?.entry)
        }
        assert.equal(cache.scan, scan)
      }
    }),
  )
})
