import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { parse } from 'yaml'
import { configKeys } from '../../src/config/keys.ts'
import { loadConfig } from '../../src/config/load.ts'
import { printConfig } from '../../src/config/print.ts'
import { configJsonSchema, configReference } from '../../src/config/reference.ts'

const inRepository = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8')
const stale = 'is not current: run node dist/src/config/generate.js'

test('reference: docs/configuration.md is what the schema generates', () => {
  assert.equal(inRepository('docs/configuration.md'), configReference(), `docs/configuration.md ${stale}`)
})

test('reference: schema/config.schema.json is what the schema generates', () => {
  assert.equal(inRepository('schema/config.schema.json'), configJsonSchema(), `schema/config.schema.json ${stale}`)
})

test('reference: every key and section has a description', () => {
  for (const { path, description } of configKeys) assert.ok(description.length > 5, path)
  const page = configReference()
  for (const { path } of configKeys) assert.ok(page.includes(`| \`${path}\` |`), path)
})

const validate = new Ajv2020({ allowUnionTypes: true }).compile(JSON.parse(configJsonSchema()))

test('JSON Schema: takes what is printed, and nothing', () => {
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
  test(`JSON Schema: refuses ${JSON.stringify(value)}`, () => {
    assert.equal(validate(value), false)
  })
}
