/** Checks the pairs that the assemblers encode from captures of real servers against what later stages rely on. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { Unpackr } from 'msgpackr'
import { needs } from '../../rig/needs.ts'
import { JsonWriter } from '../../src/pair/json-writer.ts'
import { pairToJson } from '../../src/pair/to-json.ts'
import { unpackPair } from '../../src/pair/unpack.ts'
import { asPythonReads, readWithPython } from './python.ts'

// Relative to dist/test/pair.
const ROOT = new URL('../../../', import.meta.url)
const FIXTURES = new URL('test/fixtures/', ROOT)
const PROGRAM = fileURLToPath(new URL('../../src/main.js', import.meta.url))

const NOTHING = Buffer.alloc(0)

/** Every pair of a capture file, as encoded. */
function pairsOf(file: string): Uint8Array[] {
  const path = fileURLToPath(new URL(file, FIXTURES))
  const run = spawnSync(process.execPath, [PROGRAM, 'read', '--all', '-o', 'msgpack', '--no-decode', path], {
    maxBuffer: 256 * 1024 * 1024,
  })
  assert.equal(run.status, 0, String(run.stderr))
  const pairs: Uint8Array[] = []
  new Unpackr({ useRecords: false }).unpackMultiple(run.stdout, (_value, start, end) => {
    pairs.push(run.stdout.subarray(start, end))
  })
  return pairs
}

const schema = JSON.parse(readFileSync(new URL('schema/pair.schema.json', ROOT), 'utf8')) as object
const ajv = new Ajv2020({ strict: false, allErrors: true })
const validate = ajv.compile(schema)

/** This capture contains no pair on purpose. */
const hasPairs = (name: string): boolean => name.endsWith('.pcap.gz') && name !== 'not-http.pcap.gz'

for (const file of readdirSync(FIXTURES).filter(hasPairs)) {
  test(`assembled pairs of ${file}: fit the schema in both forms and are transcoded to JSON directly`, () => {
    const writer = new JsonWriter(false)
    const pairs = pairsOf(file)
    assert.ok(pairs.length > 0)
    for (const raw of pairs) {
      const pair = unpackPair(raw)
      assert.ok(!(pair instanceof Error), String(pair))
      assert.ok(validate(pair), ajv.errorsText(validate.errors))
      const json = pairToJson(pair)
      assert.ok(validate(JSON.parse(json)), ajv.errorsText(validate.errors))
      assert.equal(writer.write(raw, NOTHING, NOTHING)?.toString(), json)
    }
  })
}

test('assembled pairs: Python reads the same values', { skip: needs('python', 'python-msgpack') }, () => {
  const pairs = pairsOf('python-stdlib.pcap.gz')
  assert.deepEqual(
    readWithPython(Buffer.concat(pairs)),
    pairs.map((raw) => asPythonReads(unpackPair(raw))),
  )
})
