import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { defaultConfig } from '../../src/config/load.ts'
import { type Budget, divideMemory } from '../../src/supervisor/budget.ts'

const MIB = 1024 * 1024
const isPowerOfTwo = (n: number): boolean => Number.isInteger(Math.log2(n))

const total = (budget: Budget, buffer: number, assemblers: number): number =>
  buffer + assemblers * (budget.pairRingBytes + budget.poolBytes + budget.captures * budget.frameRingBytes)

test('budget: the defaults fit one interface and eight assemblers', () => {
  const { limits, ship } = defaultConfig()
  for (let assemblers = 1; assemblers <= 8; assemblers++) {
    const budget = divideMemory({ ...limits, ...ship }, { captures: 1, assemblers, holdsBursts: true })
    assert.ok(total(budget, ship.bufferBytes, assemblers) <= limits.memory)
    assert.ok(budget.poolBytes >= 4 * MIB)
  }
})

test('budget: little memory reduces the number of capture workers, not the size of pools', () => {
  const { limits, ship } = defaultConfig()
  const plenty = divideMemory(
    { ...limits, ...ship, memory: 1024 * MIB },
    { captures: 8, assemblers: 4, holdsBursts: false },
  )
  assert.equal(plenty.captures, 8)
  const short = divideMemory(
    { ...limits, memory: 64 * MIB, bufferBytes: 16 * MIB },
    { captures: 8, assemblers: 2, holdsBursts: true },
  )
  assert.ok(short.captures < 8)
  assert.ok(short.poolBytes >= 16 * MIB, `${short.poolBytes}`)
})

test('budget: only live capture gets frame rings that hold bursts, in total a quarter of the memory', () => {
  const ring = (memory: number, captures: number, assemblers: number, live: boolean): number =>
    divideMemory(
      { memory: memory * MIB, bufferBytes: 64 * MIB, pairBytes: MIB },
      { captures, assemblers, holdsBursts: live },
    ).frameRingBytes / MIB
  assert.deepEqual([ring(256, 1, 1, true), ring(1024, 1, 1, true), ring(1024, 2, 4, true)], [64, 256, 32])
  assert.deepEqual([ring(256, 1, 1, false), ring(1024, 1, 1, false), ring(1024, 2, 4, false)], [4, 4, 2])
})

test('budget: the parts never exceed the whole, and the size suggested by the error suffices', () => {
  const shape = fc.record({
    memory: fc.integer({ min: 1, max: 2048 }),
    buffer: fc.integer({ min: 1, max: 512 }),
    pair: fc.integer({ min: 1, max: 16 }),
    captures: fc.integer({ min: 1, max: 16 }),
    assemblers: fc.integer({ min: 1, max: 8 }),
    live: fc.boolean(),
  })
  fc.assert(
    fc.property(shape, ({ memory, buffer, pair, captures, assemblers, live }) => {
      const divide = (mib: number): Budget =>
        divideMemory(
          { memory: mib * MIB, bufferBytes: buffer * MIB, pairBytes: pair * MIB },
          { captures, assemblers, holdsBursts: live },
        )
      let budget: Budget
      let enough = memory
      try {
        budget = divide(memory)
      } catch (error) {
        enough = Number(/at least (\d+)MiB/.exec((error as Error).message)?.[1])
        assert.ok(enough > memory)
        budget = divide(enough)
      }
      assert.ok(total(budget, buffer * MIB, assemblers) <= enough * MIB)
      assert.ok(budget.captures >= 1 && budget.captures <= captures)
      assert.ok(isPowerOfTwo(budget.frameRingBytes) && isPowerOfTwo(budget.pairRingBytes))
      assert.ok(budget.pairRingBytes / 2 > pair * MIB, 'a record needs at most half its ring')
    }),
  )
})
