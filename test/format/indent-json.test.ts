import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { indentJson } from '../../src/format/indent-json.ts'

test('indentJson: as JSON.stringify indents it', () => {
  // Keys like "1" move to the front in JavaScript objects, so the property compares what was laid out once.
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
      assert.equal(indentJson(JSON.stringify(value)).join('\n'), JSON.stringify(value, null, 2))
    }),
  )
})

test('indentJson: the same whatever blanks it came with', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 3 }), fc.constantFrom('\t', 1, 7), (value, indent) => {
      assert.deepEqual(indentJson(JSON.stringify(value, null, indent)), indentJson(JSON.stringify(value)))
    }),
  )
})

test('indentJson: numbers, escapes and duplicate keys stay as sent', () => {
  assert.deepEqual(indentJson('{"a":12345678901234567890,"a":1.0,"b":"\\u001b\\"}"}'), [
    '{',
    '  "a": 12345678901234567890,',
    '  "a": 1.0,',
    '  "b": "\\u001b\\"}"',
    '}',
  ])
})

test('indentJson: a text cut anywhere is laid out as far as it goes', () => {
  const text = '{"a": [1, {"b": "c\\"d"}], "e": {}}'
  for (let length = 0; length <= text.length; length++) {
    const cut = text.slice(0, length)
    assert.equal(indentJson(cut).join('').replaceAll(' ', ''), cut.replaceAll(' ', ''))
  }
})

test('indentJson: deep nesting does not become a page of blanks', () => {
  const text = '['.repeat(8000) + ']'.repeat(8000)
  assert.ok(indentJson(text).join('\n').length < 100 * text.length)
})
