import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Http1Program } from './http1-program.ts'

const NO_EXCHANGE = 0
const program = new Http1Program()

test('deadlines: the list agrees with a map in insertion order', () => {
  const steps = fc.array(fc.tuple(fc.nat(9), fc.constantFrom('start', 'start', 'stop')))
  fc.assert(
    fc.property(steps, (list) => {
      program.begin()
      const { exports: deadlines } = program
      const connection = deadlines.makeConnection()
      const exchanges = Array.from({ length: 10 }, () => deadlines.makeExchange(connection))
      const model = new Map<number, number>()
      for (const [micros, [index, step]] of list.entries()) {
        const exchange = exchanges[index]
        model.delete(exchange)
        if (step === 'start') {
          model.set(exchange, micros)
          deadlines.startDeadline(exchange, micros)
        } else deadlines.stopDeadline(exchange)
        const [longest = NO_EXCHANGE] = model.keys()
        assert.equal(deadlines.longestWaiting(), longest)
        if (longest !== NO_EXCHANGE) assert.equal(deadlines.waitingMicros(longest), model.get(longest))
      }
      for (const [exchange] of model) {
        assert.equal(deadlines.longestWaiting(), exchange)
        deadlines.stopDeadline(exchange)
      }
      assert.equal(deadlines.longestWaiting(), NO_EXCHANGE)
    }),
  )
})
