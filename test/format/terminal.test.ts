import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { columns, cut, pad, safe, safeRows } from '../../src/format/terminal.ts'
import { anyText } from '../pair/samples.ts'

test('safe: escapes what a terminal interprets', () => {
  assert.equal(safe('\u001b[31mred\u0007\n'), '\\x1b[31mred\\x07\\x0a')
  assert.equal(safe('\u009b2J'), '\\x9b2J')
  assert.equal(safe('a\u202eb\u2028\ufeff'), 'a\\u202eb\\u2028\\ufeff')
  assert.equal(safe('\u{e0041}'), '\\u{e0041}')
  assert.equal(safe('\ud800'), '\\ud800')
})

test('safe: keeps printable text', () => {
  for (const text of ['GET /a?b=c', 'été', '日本語', 'naïve ✓ 👍', 'back\\slash']) assert.equal(safe(text), text)
})

test('columns: counts two for wide characters, none for combining ones', () => {
  const cases: [text: string, expected: number][] = [
    ['', 0],
    ['abc', 3],
    ['été', 3],
    ['e\u0301', 1],
    ['日本', 4],
    ['한글', 4],
    ['ＡＢ', 4],
    ['👍', 2],
    ['→…', 2],
  ]
  for (const [text, expected] of cases) assert.equal(columns(text), expected, text)
})

test('cut: truncates to the width and marks the truncation', () => {
  assert.equal(cut('abcdef', 6), 'abcdef')
  assert.equal(cut('abcdef', 5), 'abcd…')
  assert.equal(cut('日本語', 4), '日…')
  assert.equal(cut('abc', 1), '…')
  assert.equal(cut('abc', 0), '')
  fc.assert(
    fc.property(anyText.map(safe), fc.nat({ max: 50 }), (text, width) => {
      const shown = cut(text, width)
      assert.ok(columns(shown) <= width)
      if (columns(text) <= width) assert.equal(shown, text)
    }),
  )
})

test('pad: pads on either side and keeps longer texts', () => {
  assert.equal(pad('日', 4), '日  ')
  assert.equal(pad('abc', 2), 'abc')
})

test('safeRows: wraps at the width, escapes, and loses nothing', () => {
  const texts = (text: string, width: number) => Array.from(safeRows(text, width), (row) => row.text)
  assert.deepEqual(texts('', 10), [''])
  assert.deepEqual(texts('a日本', 2), ['a', '日', '本'])
  assert.deepEqual(texts('abcde\u0301f', 5), ['abcde\u0301', 'f'])
  assert.deepEqual(texts('abcd\u001be', 6), ['abcd', '\\x1be'])
  fc.assert(
    fc.property(anyText, fc.integer({ min: 10, max: 50 }), (text, width) => {
      const rows = [...safeRows(text, width)]
      assert.equal(rows.map((row) => row.text).join(''), safe(text))
      assert.equal(rows.at(-1)?.end, text.length)
      for (const row of rows) assert.ok(columns(row.text) <= width)
    }),
  )
})
