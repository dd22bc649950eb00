import assert from 'node:assert/strict'
import { test } from 'node:test'
import { figuresText, ratesText } from '../../bench/figures.ts'
import type { Machine } from '../../bench/report.ts'
import type { PartResult } from '../../bench/results.ts'

const machine = (node: string): Machine => ({
  cpu: 'Xeon',
  cpus: 2,
  memoryGiB: 24,
  kernel: '6.1',
  node,
  load: 0.2,
  date: '2026-11-30',
})

const contender = (name: string, median: number) => ({
  name,
  pairsPerSecond: { median: 1_234_567 / median },
  cpuMicrosPerPair: { median },
})

const offline = (node: string, results: unknown[]): PartResult => ({
  machine: machine(node),
  data: [
    { trace: { name: 'small' }, results: [contender('parse stage, one core', 1)] },
    { trace: { name: 'api' }, results },
  ],
})

const START: PartResult = {
  machine: machine('v24.22.3'),
  data: [
    {
      starts: [
        { what: '`read` of 62 KB, 51 pairs', cpuMs: 249.6, wallMs: 1 },
        { what: 'tshark -Y http of it', cpuMs: 270, wallMs: 1 },
      ],
    },
  ],
}

const PARSE = contender('parse stage, one core', 2)
const GO = contender('Go: gopacket', 10)

test('figures: a line shows rate, cost and ratios of the same run for API-like traffic', () => {
  const text = figuresText({
    20: { offline: offline('v20.20.2', [PARSE, contender('tshark', 90)]) },
    24: { offline: offline('v24.22.3', [PARSE, GO, contender('tshark', 128)]) },
  })
  const lines = text.split('\n').filter((each) => each.startsWith('| parsing'))
  assert.deepEqual(lines, [
    '| parsing, pairing and encoding, on one core | 24 | 617,000 | 2.0 µs a pair | 64.0 × | 5.0 × |',
    '| parsing, pairing and encoding, on one core | 20 | 617,000 | 2.0 µs a pair | 45.0 × | |',
  ])
})

test('figures: missing measurements have no line, and each machine has its own', () => {
  const text = figuresText({ 24: { start: START } })
  const lines = text.split('\n').filter((each) => each.startsWith('| `') || each.startsWith('| p'))
  assert.deepEqual(lines, [
    '| `interceptor read` of a file with 51 pairs, from start to end | 24 | | 250 ms | 1.1 × | |',
  ])
  assert.ok(text.endsWith('\n- `start`: 2026-11-30, 2 × Xeon, Node.js 24.22.3, load 0.2\n'), text)
})

test('figures: the table for developers has a line for each contender, also where one trace lacks it', () => {
  const text = ratesText({ 20: { start: START }, 24: { offline: offline('v24.22.3', [PARSE]) } })
  assert.equal(
    text,
    '| Node.js 24 | `small`: pairs/s | CPU µs/pair | `api`: pairs/s | CPU µs/pair |\n|---|--:|--:|--:|--:|\n' +
      '| parse stage, one core | 1,230,000 | 1.0 | 617,000 | 2.0 |\n\n' +
      'Measured by `npm run bench -- --only offline`:\n\n' +
      '- `offline`: 2026-11-30, 2 × Xeon, Node.js 24.22.3, load 0.2\n',
  )
})
