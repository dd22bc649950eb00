import assert from 'node:assert/strict'
import { test } from 'node:test'
import { figuresOf, type LoadCounts, mostCores, readSamples, recoverySeconds } from '../../bench/load-series.ts'

const NONE: LoadCounts = {
  ms: 0,
  cpuMs: 0,
  kept: 1,
  seen: 0,
  pairs: 0,
  kernelDrops: 0,
  kernelShed: 0,
  shed: 0,
  ringDrops: 0,
}

/** Ten samples a second for `seconds`; `count` returns the counters at a time. */
const samplesOf = (seconds: number, count: (second: number) => Partial<LoadCounts>): LoadCounts[] =>
  Array.from({ length: 10 * seconds + 1 }, (_, i) => ({ ...NONE, ms: 100 * i, ...count(i / 10) }))

test('load series: figures start at the first frame, and steady-state figures two seconds later', () => {
  // The load of 1,000 frames/s begins after a second and lasts for four; 300 frames are dropped in its first half second.
  const samples = samplesOf(8, (second) => {
    const at = Math.min(4, Math.max(0, second - 1))
    return {
      seen: 1000 * at,
      cpuMs: 10 * second + 100 * at,
      kernelDrops: Math.min(300, 600 * at),
      pairs: 50 * at + 100 * Math.max(0, at - 2),
    }
  })
  const figures = figuresOf(samples, { frames: 4000, seconds: 4 }, 5000, 1 / 4)
  const rounded = Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, Number(value.toFixed(3))]))
  assert.deepEqual(rounded, {
    framesPerSecond: 1000,
    pairsPerSecond: 150,
    coverage: 0.4,
    kernelDrops: 0.075,
    earlyDrops: 0.3,
    settledDrops: 0,
    kernelShed: 0,
    shed: 0,
    ringDrops: 0,
    cores: 0.11,
    mostCores: 0.11,
  })
})

test('load series: finds the worst second anywhere, and ends the recovery at the last sample that sheds', () => {
  const samples = samplesOf(6, (second) => ({
    cpuMs: 100 * second + (second > 2.3 ? 400 : 0),
    kept: second > 1 && second < 4.05 ? 0.5 : 1,
  }))
  assert.equal(Number(mostCores(samples, 0, 6000).toFixed(3)), 0.5)
  assert.equal(Number(mostCores(samples, 3000, 6000).toFixed(3)), 0.1)
  assert.equal(recoverySeconds(samples, 3000), 1)
  assert.equal(recoverySeconds(samples, 5000), 0)
})

test('load series: ignores an incomplete last line', () => {
  const [one, two] = samplesOf(1, () => ({})).map((sample) => JSON.stringify(sample))
  assert.deepEqual(readSamples(`${one}\n${two.slice(0, 5)}`), [NONE])
  assert.deepEqual(readSamples(''), [])
})
