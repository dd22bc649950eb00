import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { parse } from 'yaml'
import { configKeys } from '../../src/config/keys.ts'
import { loadConfig } from '../../src/config/load.ts'
import { printConfig } from '../../src/config/print.ts'
import { configJsonSchema, configReference } from '../../src/config/reference.ts'

test('reference: describes every key and section', () => {
  for (const { path, description } of configKeys) assert.ok(description.length > 5, path)
  const page = configReference()
  for (const { path } of configKeys) assert.ok(page.includes(`| \`${path}\` |`), path)
})

const validate = new Ajv2020({ allowUnionTypes: true }).compile(JSON.parse(configJsonSchema()))

test('JSON Schema: accepts the printed configuration and an empty one', () => {
  assert.ok(validate({}), JSON.stringify(validate.errors))
  assert.ok(validate(parse(printConfig(loadConfig({ env: {} })))), JSON.stringify(validate.errors))
})

const refused: unknown[] = [
  { ship: { lingr: 1 } },
  { ship: { maxAge: '5 parsecs' } },
  { limits: { memory: '1XB' } },
  { kafka: { acks: 'some' } },
  { kafka: { brokers: 'a:1' } },
  { capture: { promiscuous: 'yes' } },
  { statuses: [] },
]

for (const value of refused) {
  test(`JSON Schema: rejects ${JSON.stringify(value)}`, () => {
    assert.equal(validate(value), false)
  })
}
