import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { configKeys } from '../../src/config/keys.ts'
import { editDistance, nearest } from '../../src/config/nearest.ts'

const distances: [string, string, number][] = [
  ['', '', 0],
  ['', 'abc', 3],
  ['abc', 'abc', 0],
  ['topic', 'topc', 1],
  ['topic', 'toipc', 1],
  ['kitten', 'sitting', 3],
]

for (const [from, to, distance] of distances) {
  test(`editDistance: ${JSON.stringify(from)} to ${JSON.stringify(to)} is ${distance}`, () => {
    assert.equal(editDistance(from, to), distance)
  })
}

test('editDistance: is symmetric, zero only for equal texts, at most the longer length', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (left, right) => {
      const distance = editDistance(left, right)
      assert.equal(distance, editDistance(right, left))
      assert.equal(distance === 0, left === right)
      assert.ok(distance <= Math.max(left.length, right.length))
    }),
  )
})

const guesses: [string, string][] = [
  ['ship.maxage', 'ship.maxAge'],
  ['ship.max_age', 'ship.maxAge'],
  ['maxAge', 'ship.maxAge'],
  ['brokers', 'kafka.brokers'],
  ['kafka.broker', 'kafka.brokers'],
  ['capture.snaplen', 'capture.snapLength'],
  ['limit.memory', 'limits.memory'],
  ['targets.namespaces.exlcude', 'targets.namespaces.exclude'],
]

for (const [written, meant] of guesses) {
  test(`nearest: ${written} finds ${meant}`, () => {
    assert.equal(
      nearest(
        written,
        configKeys.map(({ path }) => path),
      ),
      meant,
    )
  })
}

for (const written of ['foo', 'zzzzzzzz', 'max', 'x', 'INTERCEPTOR_XYZ', 'verbose']) {
  test(`nearest: suggests nothing for ${written}`, () => {
    const { paths, variables } = {
      paths: configKeys.map(({ path }) => path),
      variables: configKeys.map(({ environment }) => environment),
    }
    assert.equal(nearest(written, written.startsWith('INTERCEPTOR_') ? variables : paths), null)
  })
}

test('nearest: returns null without known words', () => {
  assert.equal(nearest('anything', []), null)
})
