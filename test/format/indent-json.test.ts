import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { indentJson } from '../../src/format/indent-json.ts'

const indented = (text: string): string[] => Array.from(indentJson(text), (line) => line.text)

test('indentJson: indents as JSON.stringify does', () => {
  // JavaScript objects move keys like "1" to the front, so the text is normalised once before it is compared.
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
      assert.equal(indented(JSON.stringify(value)).join('\n'), JSON.stringify(value, null, 2))
    }),
  )
})

test('indentJson: ignores the whitespace of its input', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 3 }), fc.constantFrom('\t', 1, 7), (value, indent) => {
      assert.deepEqual(indented(JSON.stringify(value, null, indent)), indented(JSON.stringify(value)))
    }),
  )
})

test('indentJson: keeps numbers, escapes and duplicate keys as sent', () => {
  assert.deepEqual(indented('{"a":12345678901234567890,"a":1.0,"b":"\\u001b\\"}"}'), [
    '{',
    '  "a": 12345678901234567890,',
    '  "a": 1.0,',
    '  "b": "\\u001b\\"}"',
    '}',
  ])
})

test('indentJson: indents a text that is truncated anywhere', () => {
  const text = '{"a": [1, {"b": "c\\"d"}], "e": {}}'
  for (let length = 0; length <= text.length; length++) {
    const cut = text.slice(0, length)
    assert.equal(indented(cut).join('').replaceAll(' ', ''), cut.replaceAll(' ', ''))
  }
})

test('indentJson: limits the indentation of deep nesting', () => {
  const text = '['.repeat(8000) + ']'.repeat(8000)
  assert.ok(indented(text).join('\n').length < 100 * text.length)
})

test('indentJson: reports where each line ends in the text', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 3 }), fc.constantFrom(undefined, '\t', 3), (value, indent) => {
      const text = JSON.stringify(value, null, indent)
      const compact = (json: string): string => json.replaceAll(/[ \t\n]/g, '')
      let before = ''
      for (const line of indentJson(text)) {
        before += line.text
        assert.equal(compact(before), compact(text.slice(0, line.end)))
      }
    }),
  )
})
