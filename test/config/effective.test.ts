import assert from 'node:assert/strict'
import { test } from 'node:test'
import { effectiveConfig } from '../../src/config/effective.ts'
import { loadConfig } from '../../src/config/load.ts'
import { EXIT_USAGE, InterceptorError } from '../../src/errors.ts'

const FLAGS = [
  { path: 'ship.maxAge', value: '90s', name: '--set' },
  { path: 'filter.paths', value: '/a,/b', name: '--set' },
]

test("effective configuration: equals the schema's defaults without settings, in fresh objects", async () => {
  const loaded = await effectiveConfig({})
  assert.deepEqual(loaded, loadConfig({}))
  loaded.config.filter.paths.push('/changed')
  assert.deepEqual(await effectiveConfig({}), loadConfig({}))
})

test('effective configuration: reads a variable, a file and a flag', async (t) => {
  process.env['INTERCEPTOR_SHIP_MAX_AGE'] = '90s'
  t.after(() => delete process.env['INTERCEPTOR_SHIP_MAX_AGE'])
  assert.equal((await effectiveConfig({})).config.ship.maxAge, 90_000)
  assert.equal((await effectiveConfig({ flags: FLAGS.slice(1) })).config.ship.maxAge, 90_000)
  await assert.rejects(effectiveConfig({ file: '/nonexistent/interceptor.yaml' }), /no such file/)
})

test('effective configuration: a thread loads the same configuration and origins', async () => {
  assert.deepEqual(await effectiveConfig({ flags: FLAGS }, { apart: true }), loadConfig({ flags: FLAGS }))
})

test('effective configuration: a thread reports the same error', async () => {
  const flags = [{ path: 'ship.maxAge', value: '90 parsecs', name: '--set' }]
  const expected = (error: unknown): boolean => {
    assert.ok(error instanceof InterceptorError)
    assert.equal(error.exitCode, EXIT_USAGE)
    assert.match(error.message, /ship\.maxAge/)
    return true
  }
  await assert.rejects(effectiveConfig({ flags }, { apart: true }), expected)
  assert.throws(() => loadConfig({ flags }), expected)
})
