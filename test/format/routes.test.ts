import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createFormat } from '../../src/format/create-format.ts'
import type { TopOptions } from '../../src/format/output-format.ts'
import { packPair } from '../../src/pair/unpack.ts'
import { samplePair } from '../pair/samples.ts'

const TOP: TopOptions = { by: 'host', sort: 'requests', json: false, redraw: false, rows: null }
const CLEAR = '\x1b[H\x1b[2J'

const format = (top: Partial<TopOptions>, width: number | null = null) =>
  createFormat('routes', { decode: true, color: false, width, verbose: false, version: '0', top: { ...TOP, ...top } })

const asked = (host: string) => packPair(samplePair({ request: { headers: [['Host', host]] } }))

test('routes: on a terminal the table is redrawn at most once a second, with the rows that fit', () => {
  const table = format({ redraw: true, rows: 1 }, 40)
  const first = String(table.pair(asked('a')))
  assert.ok(first.startsWith(CLEAR))
  assert.equal(table.pair(asked('b')), '')
  assert.equal(table.pair(asked('b')), '')
  const end = table.end()
  assert.ok(end.startsWith(CLEAR))
  // The final table has every row, each cut to the terminal.
  assert.equal(end.trimEnd().split('\n').length, 3)
  for (const line of end.slice(CLEAR.length).split('\n')) assert.ok(line.length <= 40, line)
})

test('routes: nothing from the wire reaches the terminal unescaped', () => {
  const table = format({})
  table.pair(asked('\x1b]0;title\x07'))
  assert.match(table.end(), / \\x1b\]0;title\\x07\n$/)
})

test('routes: a record that is not a pair is refused, and no pairs are an empty table', () => {
  assert.ok(format({}).pair(Buffer.from('{"v":1}')) instanceof Error)
  assert.equal(format({}).end().trimEnd().split('\n').length, 1)
  assert.deepEqual((JSON.parse(format({ json: true }).end()) as { rows: unknown[] }).rows, [])
})
