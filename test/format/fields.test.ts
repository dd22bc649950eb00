import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createFormat } from '../../src/format/create-format.ts'
import type { Pair } from '../../src/pair/pair.ts'
import { packPair } from '../../src/pair/unpack.ts'
import { anyPair, samplePair } from '../pair/samples.ts'

const OPTIONS = { decode: true, color: false, width: null, verbose: false, version: '0' }

function print(name: 'text' | 'tsv', pairs: Pair[], fields?: string[], width: number | null = null): string {
  const format = createFormat(name, { ...OPTIONS, width, ...(fields === undefined ? {} : { fields }) })
  return [format.begin(), ...pairs.map((pair) => format.pair(packPair(pair))), format.end()].join('')
}

test('tsv: writes a heading, then a line with as many values for any pair', () => {
  const fields = [
    'time',
    'request.target',
    'request.headers.host',
    'response.json',
    'client.pod.labels',
    'response.body',
  ]
  fc.assert(
    fc.property(fc.array(anyPair, { maxLength: 3 }), (pairs) => {
      const lines = print('tsv', pairs, fields).split('\n')
      assert.equal(lines.pop(), '')
      assert.equal(lines.length, pairs.length + 1)
      for (const line of lines) assert.equal(line.split('\t').length, fields.length)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must be absent
      assert.doesNotMatch(lines.join(''), /[\x00-\x08\x0b-\x1f\x7f-\x9f]/)
    }),
  )
})

test('tsv: writes the usual fields without --fields, and escapes tabs and line breaks', () => {
  const [heading, line] = print('tsv', [samplePair({ request: { target: '/a\tb\\c\nd' } })]).split('\n')
  assert.match(heading ?? '', /^time\tclient\.address\t/)
  assert.ok(line?.includes('\tPOST\t/a\\tb\\\\c\\nd\t200\t0.554'))
})

test('text: --fields aligns columns and marks empty ones', () => {
  const pairs = [samplePair(), samplePair({ request: { method: 'GET', target: '/x' }, response: { status: 404 } })]
  assert.equal(
    print('text', pairs, ['request.target', 'client.pod.name', 'response.status']),
    '/users?id=1  -  200\n/x           -  404\n',
  )
})

test('text: --fields truncates lines to the terminal’s width and escapes what it would interpret', () => {
  const line = print(
    'text',
    [samplePair({ request: { target: `/\x1b[2J${'a'.repeat(100)}` } })],
    ['request.target'],
    20,
  )
  assert.equal(line, `/\\x1b[2J${'a'.repeat(11)}…\n`)
})
