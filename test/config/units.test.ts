import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatDuration, formatSize, parseCores, parseDuration, parseSize } from '../../src/config/units.ts'

const durations: [string, number | null][] = [
  ['250ms', 250],
  ['60s', 60_000],
  ['5m', 300_000],
  ['2h', 7_200_000],
  ['1d', 86_400_000],
  ['1.5s', 1500],
  ['1m30s', 90_000],
  ['0', 0],
  ['750', 750],
  ['0s', 0],
  ['', null],
  ['s', null],
  ['5 m', null],
  ['5M', null],
  ['5min', null],
  ['-5s', null],
  ['1.5', null],
  ['5s3', null],
  ['1e3', null],
  ['64MiB', null],
]

for (const [text, ms] of durations) {
  test(`parseDuration: ${JSON.stringify(text)} is ${ms === null ? 'rejected' : `${ms} ms`}`, () => {
    assert.equal(parseDuration(text), ms)
  })
}

const cores: [string, number | null][] = [
  ['0.25', 0.25],
  ['250m', 0.25],
  ['2', 2],
  ['0', 0],
  ['1500m', 1.5],
  ['', null],
  ['.5', null],
  ['0.5m', null],
  ['1 core', null],
  ['-1', null],
]

for (const [text, count] of cores) {
  test(`parseCores: ${JSON.stringify(text)} is ${count === null ? 'rejected' : `${count} cores`}`, () => {
    assert.equal(parseCores(text), count)
  })
}

const sizes: [string, number | null][] = [
  ['512KiB', 524_288],
  ['64MiB', 67_108_864],
  ['1GiB', 1_073_741_824],
  ['1KB', 1000],
  ['1MB', 1_000_000],
  ['2GB', 2_000_000_000],
  ['100B', 100],
  ['1.5MiB', 1_572_864],
  ['1048576', 1_048_576],
  ['0', 0],
  ['', null],
  ['MiB', null],
  ['64 MiB', null],
  ['64mib', null],
  ['64M', null],
  ['-1', null],
  ['1.5', null],
  ['60s', null],
  ['0x10', null],
]

for (const [text, bytes] of sizes) {
  test(`parseSize: ${JSON.stringify(text)} is ${bytes === null ? 'rejected' : `${bytes} bytes`}`, () => {
    assert.equal(parseSize(text), bytes)
  })
}

test('formatDuration: uses the largest exact unit', () => {
  const texts = [0, 250, 1500, 60_000, 90_000, 300_000, 7_200_000, 172_800_000].map(formatDuration)
  assert.deepEqual(texts, ['0ms', '250ms', '1500ms', '1m', '90s', '5m', '2h', '2d'])
})

test('formatSize: uses the largest exact binary unit, else bare bytes', () => {
  assert.deepEqual([0, 1000, 1024, 262_144, 1_048_576, 1_073_741_824].map(formatSize), [
    '0',
    '1000',
    '1KiB',
    '256KiB',
    '1MiB',
    '1GiB',
  ])
})

test('units: parse what they format to the same number', () => {
  fc.assert(
    fc.property(fc.nat(2 ** 31), (value) => {
      assert.equal(parseDuration(formatDuration(value)), value)
      assert.equal(parseSize(formatSize(value)), value)
    }),
  )
})
