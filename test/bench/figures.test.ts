import assert from 'node:assert/strict'
import { test } from 'node:test'
import { figuresText } from '../../bench/figures.ts'
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

const contender = (name: string, median: number) => ({ name, cpuMicrosPerPair: { median } })

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

test('figures: a row shows the reference programs’ ratios of the same run for API-like traffic', () => {
  const parse = contender('parse stage, one core', 2)
  const text = figuresText({
    20: { offline: offline('v20.20.2', [parse, contender('tshark', 90)]) },
    24: { offline: offline('v24.22.3', [parse, contender('Go: gopacket', 10), contender('tshark', 128)]) },
  })
  assert.match(text, /^\| CPU time \| Node\.js 24 \| Node\.js 20 \|\n\|---\|---\|---\|\n/)
  const cells =
    '| tshark needs 64.0 times as much, a Go program on gopacket 5.0 times | tshark needs 45.0 times as much |\n'
  assert.ok(text.includes(cells), text)
})

test('figures: missing measurements have no row, and each machine has its own line', () => {
  const text = figuresText({ 24: { start: START } })
  const rows = text.split('\n').filter((line) => line.startsWith('| `') || line.startsWith('| p'))
  assert.deepEqual(rows, [
    '| `interceptor read` of a file with 51 pairs, from start to end | tshark needs 1.1 times as much |',
  ])
  assert.ok(text.endsWith('\n- `start`: 2026-11-30, 2 × Xeon, Node.js 24.22.3, load 0.2\n'), text)
})
