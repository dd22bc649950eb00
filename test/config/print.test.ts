import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { configKeys } from '../../src/config/keys.ts'
import { loadConfig } from '../../src/config/load.ts'
import { printConfig } from '../../src/config/print.ts'

const lineOf = (text: string, key: string): string | undefined =>
  text
    .split('\n')
    .find((line) => line.trim().startsWith(`${key}:`))
    ?.trim()

test('printConfig: prints each value with its origin and unit', () => {
  const text = printConfig(
    loadConfig({
      env: { INTERCEPTOR_SHIP_MAX_AGE: '90000', NODE_NAME: 'n1' },
      flags: [
        { path: 'kafka.brokers', value: 'a:1,b:2', name: '--brokers' },
        { path: 'limits.memory', value: '1073741824', name: '--set' },
      ],
    }),
  )
  assert.equal(lineOf(text, 'maxAge'), 'maxAge: 90s # from INTERCEPTOR_SHIP_MAX_AGE')
  assert.equal(lineOf(text, 'name'), 'name: n1 # from NODE_NAME')
  assert.equal(lineOf(text, 'brokers'), 'brokers: [a:1, b:2] # from --brokers')
  assert.equal(lineOf(text, 'memory'), 'memory: 1GiB # from --set')
  assert.equal(lineOf(text, 'responseTimeout'), 'responseTimeout: 60s # default')
  assert.equal(lineOf(text, 'snapLength'), 'snapLength: 262144 # default')
})

test('printConfig: prints every key, which read back as the same configuration', () => {
  const flags = [
    { path: 'limits.responseTimeout', value: '1234', name: '--set' },
    { path: 'ship.batchBytes', value: '10000', name: '--set' },
    { path: 'filter.statuses', value: '301,5xx', name: '--set' },
  ]
  const loaded = loadConfig({ env: {}, flags })
  const text = printConfig(loaded)
  for (const { path } of configKeys) assert.ok(lineOf(text, path.split('.').at(-1)!), `${path} is missing`)
  const folder = mkdtempSync(join(tmpdir(), 'interceptor-print-'))
  try {
    const file = join(folder, 'printed.yaml')
    writeFileSync(file, text)
    assert.deepEqual(loadConfig({ env: {}, file }).config, loaded.config)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
