import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { ROOT } from '../../../rig/root.ts'
import { pairTypes } from '../../../scripts/documents/pair-types.ts'
import type { Pair } from '../../../src/pair/pair.ts'
import { pairToJson } from '../../../src/pair/to-json.ts'
import type { JsonPair, PackedPair } from '../../../types/index.d.ts'
import { samplePair } from '../../pair/samples.ts'

// Checked by the compiler: this program's pairs are assignable to the package's types, and the reverse.
const packed: PackedPair = samplePair()
const own: Pair = packed

test('pairTypes: a pair is a PackedPair, and its JSON a JsonPair with bodies as text', () => {
  const json: JsonPair = JSON.parse(pairToJson(own))
  const text: string = json.request.body
  // @ts-expect-error The body of a PackedPair is bytes.
  const bytes: string = packed.request.body
  assert.equal(text, Buffer.from(bytes).toString())
  assert.equal(json.request.bodyEncoding satisfies 'utf8' | 'base64', 'utf8')
})

test('pairTypes: generates optional keys, tuples, unions and maps', () => {
  const types = pairTypes({
    description: 'All.',
    properties: { a: { type: 'string' }, b: { $ref: '#/$defs/entry' } },
    required: ['a'],
    $defs: {
      entry: { type: 'array', minItems: 2, maxItems: 2, items: { type: ['integer', 'null'] } },
      map: { type: 'object', additionalProperties: { enum: ['x', 1] } },
    },
  })
  assert.match(types, /\/\*\* All\. \*\/\nexport interface Pair<.*> \{\n {2}a: string\n {2}b\?: Entry\n\}/)
  assert.match(types, /export type Entry = \[number \| null, number \| null\]\n/)
  assert.match(types, /export type Map = Record<string, 'x' \| 1>\n/)
})

test('pairTypes: throws for an unsupported schema', () => {
  assert.throws(() => pairTypes({ properties: { a: { type: 'tuple' } } }), /no TypeScript for \{"type":"tuple"\}/)
})

test('types: the package contains declarations and no code', () => {
  const options = { cwd: join(ROOT, 'types'), encoding: 'utf8' as const }
  const [{ files }] = JSON.parse(execFileSync('npm', ['pack', '--dry-run', '--json', '--offline'], options))
  assert.deepEqual(files.map(({ path }: { path: string }) => path).sort(), ['README.md', 'index.d.ts', 'package.json'])
})
