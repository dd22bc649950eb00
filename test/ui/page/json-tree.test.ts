import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type JsonNode, parseJson } from '../../../src/ui/page/json-tree.ts'

/** The value that a tree represents; of duplicate keys the last applies, as in JSON.parse. */
function meant({ kind, text, children }: JsonNode): unknown {
  if (kind === 'array') return children.map(meant)
  if (kind !== 'object') return JSON.parse(text)
  return Object.fromEntries(children.map((child) => [JSON.parse(child.key ?? '""') as string, meant(child)]))
}

test('json tree: represents the result of JSON.parse', () => {
  fc.assert(
    fc.property(fc.json(), fc.constantFrom(undefined, 1, '\t'), (text, space) => {
      const value: unknown = JSON.parse(text)
      const tree = parseJson(JSON.stringify(value, null, space))
      assert.ok(tree !== null)
      assert.deepEqual(JSON.stringify(meant(tree)), JSON.stringify(value))
    }),
  )
})

test('json tree: rejects a text that JSON.parse rejects', () => {
  const broken = [
    '',
    '[',
    ']',
    '{"a"}',
    '{"a":}',
    '{a:1}',
    '[1,]',
    '[1 2]',
    '{"a":1,}',
    '01',
    '1 1',
    '[}',
    '{]',
    'nul',
    '"a',
    ',',
    '[],',
    '{"a":1:2}',
  ]
  for (const text of broken) assert.equal(parseJson(text), null, text)
})

test('json tree: keeps numbers, the order of keys and duplicate keys as sent', () => {
  const tree = parseJson('{"b":12345678901234567890,"a":1.10,"b":null}')
  assert.deepEqual(
    tree?.children.map(({ key, text }) => [key, text]),
    [
      ['"b"', '12345678901234567890'],
      ['"a"', '1.10'],
      ['"b"', 'null'],
    ],
  )
})

test('json tree: parses a megabyte of nested arrays', () => {
  const depth = 500_000
  let node = parseJson('['.repeat(depth) + ']'.repeat(depth))
  let levels = 0
  for (; node !== null && node !== undefined; node = node.children[0] ?? null) levels += 1
  assert.equal(levels, depth)
})
