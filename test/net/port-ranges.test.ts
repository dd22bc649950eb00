import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  ALL_PORTS,
  formatPortRanges,
  mergePortRanges,
  type PortRange,
  parsePortRanges,
  portRangesContain,
  subtractPortRanges,
} from '../../src/net/port-ranges.ts'

const texts: [text: string, expected: string][] = [
  ['', ''],
  ['8080', '8080'],
  ['9000-9010, 8080 ,9005-9020', '8080, 9000-9020'],
  ['80,81', '80-81'],
  ['1-65535', 'all'],
  ['0,65536,9-5,http,*,80-,-80,', ''],
  ['22, x, 443', '22, 443'],
]

test('parsePortRanges: parses ports and ranges, and ignores everything else', () => {
  for (const [text, expected] of texts) assert.equal(formatPortRanges(parsePortRanges(text)), expected, text)
})

const ranges = fc.array(
  fc
    .tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 }))
    .map(([a, b]): PortRange => ({ first: Math.min(a, b), last: Math.max(a, b) })),
  { maxLength: 6 },
)
const contains = (all: readonly PortRange[], port: number): boolean =>
  all.some(({ first, last }) => first <= port && port <= last)

test('port ranges: model: union and difference contain the right ports, ordered and disjoint', () => {
  fc.assert(
    fc.property(ranges, ranges, (left, right) => {
      const [union, difference] = [mergePortRanges([...left, ...right]), subtractPortRanges(left, right)]
      for (const result of [union, difference]) {
        for (const [index, { first }] of result.entries()) assert.ok(index === 0 || first > result[index - 1].last + 1)
      }
      for (let port = 0; port <= 42; port += 1) {
        assert.equal(portRangesContain(union, port), contains(left, port) || contains(right, port))
        assert.equal(portRangesContain(difference, port), contains(left, port) && !contains(right, port))
      }
    }),
  )
  assert.deepEqual(subtractPortRanges(ALL_PORTS, ALL_PORTS), [])
})
