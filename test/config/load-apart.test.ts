import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { loadConfigApart } from '../../src/config/load-apart.ts'
import { EXIT_USAGE, InterceptorError } from '../../src/errors.ts'

const FLAGS = [
  { path: 'ship.maxAge', value: '90s', name: '--set' },
  { path: 'filter.paths', value: '/a,/b', name: '--set' },
]

test('loadConfigApart: loads the same configuration and origins as loadConfig', async () => {
  assert.deepEqual(await loadConfigApart({ flags: FLAGS }), loadConfig({ flags: FLAGS }))
})

test('loadConfigApart: throws the same error as loadConfig', async () => {
  const flags = [{ path: 'ship.maxAge', value: '90 parsecs', name: '--set' }]
  const expected = (error: unknown): boolean => {
    assert.ok(error instanceof InterceptorError)
    assert.equal(error.exitCode, EXIT_USAGE)
    assert.match(error.message, /ship\.maxAge/)
    return true
  }
  await assert.rejects(loadConfigApart({ flags }), expected)
  assert.throws(() => loadConfig({ flags }), expected)
})
