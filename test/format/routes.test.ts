import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createFormat } from '../../src/format/create-format.ts'
import type { TopOptions } from '../../src/format/output-format.ts'
import { TopView } from '../../src/format/top-view.ts'
import { packPair } from '../../src/pair/unpack.ts'
import { samplePair } from '../pair/samples.ts'

const TOP: TopOptions = { by: 'host', sort: 'requests', json: false, view: null }
const HOME = '\x1b[H'

const format = (top: Partial<TopOptions>, width: number | null = null) =>
  createFormat('routes', { decode: true, color: false, width, verbose: false, version: '0', top: { ...TOP, ...top } })

const asked = (host: string) => packPair(samplePair({ request: { headers: [['Host', host]] } }))

/** The lines on a terminal after a table was drawn. */
const drawn = (text: string): string[] => {
  assert.ok(text.startsWith(HOME), JSON.stringify(text))
  return text.slice(HOME.length).replaceAll('\x1b[K', '').replaceAll('\x1b[J', '').split('\n')
}

test('routes: on a terminal the table is drawn at most once a second, with the rows that fit', () => {
  const view = TopView.allocate('host', 'requests', 6, 40)
  const table = format({ view }, 40)
  assert.match(drawn(String(table.pair(asked('a'))))[2], /^ *1 .* a$/)
  assert.equal(table.pair(asked('b')), '')
  assert.equal(table.pair(asked('b')), '')
  const end = drawn(table.end())
  // The final table has every row, each truncated to the terminal's width.
  assert.equal(end.filter((line) => line !== '').length, 3)
  for (const line of end) assert.ok(line.length <= 40, line)
})

test('routes: a table on a terminal applies a changed view at once, also to earlier pairs', () => {
  const shared = TopView.allocate('host', 'requests', 5, 100)
  const view = new TopView(shared)
  const table = format({ view: shared }, 100)
  assert.deepEqual(drawn(table.tick?.() ?? '').length, 3)
  for (const host of ['a', 'b', 'b', 'other-c']) table.pair(asked(host))
  assert.equal(table.tick?.(), '')
  view.sort = 'bytes'
  const all = drawn(table.tick?.() ?? '')
  assert.deepEqual([all[0], all[3]], ['by host · sorted by bytes', '… 2 more'])
  view.filter = 'OTHER'
  assert.match(drawn(table.tick?.() ?? '')[2], / other-c$/)
  view.paused = true
  assert.equal(drawn(table.tick?.() ?? '')[0], 'by host · sorted by bytes · filter: OTHER · paused')
  view.filter = ''
  view.by = 'status'
  assert.match(drawn(table.tick?.() ?? '')[2], /^ *4 .* 200$/)
})

test('routes: group names have room in narrow terminals, and only as many lines are drawn as fit', () => {
  const name = 'a-name-of-many-characters.test'
  const headingsIn = (width: number): string[] => {
    const table = format({}, width)
    table.pair(asked(name))
    const [heading, row] = table.end().split('\n')
    assert.ok(row.endsWith(name) && row.length <= width, row)
    return heading.trim().split(/ +/)
  }
  assert.deepEqual(headingsIn(80), ['REQS', 'REQ/S', '4XX', '5XX', 'P50', 'P95', 'P99', 'HOST'])
  assert.deepEqual(headingsIn(40), ['REQS', 'HOST'])
  const tiny = format({ view: TopView.allocate('host', 'requests', 3, 10) }, 10)
  const lines = drawn(String(tiny.pair(asked(name))))
  assert.equal(lines.length, 3)
  for (const line of lines) assert.ok(line.length <= 10, line)
})

test('routes: groups beyond the bound are counted under other, and a line reports them', () => {
  const shared = TopView.allocate('host', 'requests', 6, 100)
  const table = format({ view: shared }, 100)
  for (let i = 0; i < 1010; i++) table.pair(asked(`h${i}`))
  new TopView(shared).sort = 'errors'
  const lines = drawn(table.tick?.() ?? '')
  assert.deepEqual(lines.slice(3, 5), [
    '… 999 more',
    '999 groups have a row of their own; 11 requests of further ones are in other',
  ])
})

test('routes: table and JSON report pairs that the source did not show', () => {
  const table = format({ json: true })
  table.pair(asked('a'))
  table.notShown?.(2)
  table.notShown?.(3)
  assert.equal((JSON.parse(table.end()) as { notShown: number }).notShown, 5)
  const text = format({})
  text.notShown?.(7)
  assert.match(text.end(), /\n7 pairs are not counted: they arrived faster than this program read them\n$/)
})

test('routes: escapes everything from the wire for the terminal', () => {
  const table = format({})
  table.pair(asked('\x1b]0;title\x07'))
  assert.match(table.end(), / \\x1b\]0;title\\x07\n$/)
})

test('routes: rejects a record that is not a pair, and prints an empty table without pairs', () => {
  assert.ok(format({}).pair(Buffer.from('{"v":1}')) instanceof Error)
  assert.equal(format({}).end().trimEnd().split('\n').length, 1)
  assert.deepEqual((JSON.parse(format({ json: true }).end()) as { rows: unknown[] }).rows, [])
})
