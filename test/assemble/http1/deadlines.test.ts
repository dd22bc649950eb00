import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Deadlines, NO_EXCHANGE } from '../../../src/assemble/http1/deadlines.ts'

test('deadlines: the list holds what a map in order of insertion would', () => {
  const steps = fc.array(fc.tuple(fc.nat(9), fc.constantFrom('add', 'add', 'remove', 'grow', 'end')))
  fc.assert(
    fc.property(steps, (list) => {
      const deadlines = new Deadlines()
      deadlines.grow(10)
      let capacity = 10
      const model = new Map<number, number>()
      for (const [micros, [index, step]] of list.entries()) {
        if (step === 'grow') deadlines.grow(++capacity)
        else if (step === 'end') deadlines.remove(NO_EXCHANGE)
        else {
          model.delete(index)
          if (step === 'add') {
            model.set(index, micros)
            deadlines.add(index, micros)
          } else deadlines.remove(index)
        }
        const [soonest = NO_EXCHANGE] = model.keys()
        assert.equal(deadlines.soonest, soonest)
        if (soonest !== NO_EXCHANGE) assert.equal(deadlines.micros(soonest), model.get(soonest))
      }
      for (const [index] of model) {
        assert.equal(deadlines.soonest, index)
        deadlines.remove(index)
      }
      assert.equal(deadlines.soonest, NO_EXCHANGE)
    }),
  )
})
