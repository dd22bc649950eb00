import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { grouped, shortDuration, shortSize, timeOfDay } from '../../src/format/units.ts'

test('duration: prints three digits and a unit', () => {
  const cases: [micros: number, expected: string][] = [
    [-5, '0µs'],
    [0, '0µs'],
    [999, '999µs'],
    [1000, '1.00ms'],
    [9_994, '9.99ms'],
    [9_996, '10.0ms'],
    [99_960, '100ms'],
    [999_499, '999ms'],
    [999_500, '1.00s'],
    [1_240_000, '1.24s'],
    [75_000_000, '75.0s'],
    [3_600_000_000, '3600s'],
  ]
  for (const [micros, expected] of cases) assert.equal(shortDuration(micros), expected)
})

test('duration: uses at most 6 columns below a day', () => {
  fc.assert(
    fc.property(fc.integer({ min: -1, max: 86_400_000_000 }), (micros) => assert.ok(shortDuration(micros).length <= 6)),
  )
})

test('size: prints bytes, then units of 1024', () => {
  const cases: [bytes: number, expected: string][] = [
    [0, '0'],
    [999, '999'],
    [1000, '1.0K'],
    [1434, '1.4K'],
    [10_188, '9.9K'],
    [10_189, '10K'],
    [1_023_487, '999K'],
    [1_023_488, '1.0M'],
    [2 ** 20, '1.0M'],
    [2 ** 40, '1.0T'],
  ]
  for (const [bytes, expected] of cases) assert.equal(shortSize(bytes), expected)
})

test('size: uses at most 4 columns', () => {
  fc.assert(
    fc.property(fc.nat({ max: 2 ** 53 - 1 }), (bytes) => assert.ok(shortSize(bytes).length <= 4, shortSize(bytes))),
  )
})

test('timeOfDay: prints local time, truncated to milliseconds', () => {
  const date = new Date(2026, 10, 23, 3, 4, 5, 67)
  assert.equal(timeOfDay(date.getTime() * 1000 + 999), '03:04:05.067')
})

test('grouped: separates thousands as the English locale does', () => {
  fc.assert(
    fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (count) => {
      assert.equal(grouped(count), count.toLocaleString('en'))
    }),
  )
})
