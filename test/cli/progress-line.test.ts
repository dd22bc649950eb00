import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeProgress, formatBytes, progressLine } from '../../src/cli/progress-line.ts'

test('describeProgress: prints share, pairs, rate and time left of a known total', () => {
  const text = describeProgress({ bytes: 744_000_000, totalBytes: 1_200_000_000, pairs: 412_000 }, 2400)
  assert.equal(text, '62% of 1.20 GB, 412,000 pairs, 310 MB/s, 2 s left')
})

test('describeProgress: prints what was read of an unknown total', () => {
  assert.equal(describeProgress({ bytes: 1500, totalBytes: null, pairs: 0 }, 1000), '1.50 kB, 0 pairs, 1.50 kB/s')
})

test('describeProgress: prints only pairs if no bytes are counted', () => {
  assert.equal(describeProgress({ bytes: 0, totalBytes: null, pairs: 1200 }, 1000), '1,200 pairs')
})

test('describeProgress: stays at 100 % for a growing file, and omits the time left of a stalled one', () => {
  assert.match(describeProgress({ bytes: 20, totalBytes: 10, pairs: 1 }, 1000), /^100% .* 0 s left$/)
  assert.equal(describeProgress({ bytes: 0, totalBytes: 10, pairs: 0 }, 1000), '0% of 10 B, 0 pairs, 0 B/s')
})

test('formatBytes: prints three digits in powers of 1000', () => {
  const texts = [0, 999, 1000, 9_994, 99_940, 999_499, 999_500, 1.2e9, 5e15].map(formatBytes)
  assert.deepEqual(texts, ['0 B', '999 B', '1.00 kB', '9.99 kB', '99.9 kB', '999 kB', '1.00 MB', '1.20 GB', '5000 TB'])
})

const CLEAR = '\r\x1b[2K'

function drawing() {
  const written: string[] = []
  let time = 0
  const line = progressLine({ write: (text) => written.push(text), columns: 20, now: () => time })
  const at = (ms: number) => {
    time = ms
    line.update({ bytes: 1, totalBytes: null, pairs: 1 })
  }
  return { written, line, at }
}

test('progressLine: draws nothing in a short run', () => {
  const { written, line, at } = drawing()
  at(100)
  at(499)
  line.clear()
  assert.deepEqual(written, [])
})

test('progressLine: fits the terminal, leaves the cursor at its start, limits redraws, and is cleared once', () => {
  const { written, line, at } = drawing()
  at(600)
  at(650)
  at(701)
  assert.equal(written.length, 2)
  const first = written[0] ?? ''
  assert.ok(first.startsWith(CLEAR) && first.endsWith('\r'), JSON.stringify(first))
  assert.equal(first.length - CLEAR.length - 1, 19)
  line.clear()
  line.clear()
  assert.deepEqual(written.slice(2), [CLEAR])
})
