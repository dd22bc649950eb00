/** Checks that pairs encoded by the assemblers from captures of real servers satisfy what later stages rely on. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { ROOT } from '../../rig/root.ts'
import { JsonWriter } from '../../src/pair/json-writer.ts'
import { pairToJson } from '../../src/pair/to-json.ts'
import { unpackPair } from '../../src/pair/unpack.ts'

const NOTHING = Buffer.alloc(0)
const schema = JSON.parse(readFileSync(join(ROOT, 'schema', 'pair.schema.json'), 'utf8')) as object
const ajv = new Ajv2020({ strict: false, allErrors: true })
const validate = ajv.compile(schema)

/** Each pair fits the schema in both forms and is transcoded to JSON directly. @throws AssertionError otherwise */
export function assertPairForms(pairs: readonly Uint8Array[]): void {
  const writer = new JsonWriter(false)
  assert.ok(pairs.length > 0)
  for (const raw of pairs) {
    const pair = unpackPair(raw)
    assert.ok(!(pair instanceof Error), String(pair))
    assert.ok(validate(pair), ajv.errorsText(validate.errors))
    const json = pairToJson(pair)
    assert.ok(validate(JSON.parse(json)), ajv.errorsText(validate.errors))
    assert.equal(writer.write(raw, NOTHING, NOTHING)?.toString(), json)
  }
}
