import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { EXIT_USAGE } from '../../src/errors.ts'
import { run } from './support.ts'

test('config print: shows flags and environment as origins', async () => {
  const { code, stdout, stderr } = await run(['config', 'print', '--brokers', 'a:1', '--set', 'limits.memory=1GiB'], {
    env: { INTERCEPTOR_SHIP_MAX_AGE: '10m' },
  })
  assert.deepEqual([code, stderr], [0, ''])
  assert.match(stdout, /\n {2}brokers: \[a:1\] # from --brokers\n/)
  assert.match(stdout, /\n {2}memory: 1GiB # from --set\n/)
  assert.match(stdout, /\n {2}maxAge: 10m # from INTERCEPTOR_SHIP_MAX_AGE\n/)
})

test('config validate: accepts the defaults, and names every problem otherwise', async () => {
  assert.deepEqual((await run(['config', 'validate'])).stdout, 'the configuration is valid\n')
  const { code, stdout, stderr } = await run([
    'config',
    'validate',
    '--set',
    'log.level=loud',
    '--set',
    'ship.maxAge=x',
  ])
  assert.deepEqual([code, stdout], [EXIT_USAGE, ''])
  assert.match(stderr, /log\.level/)
  assert.match(stderr, /ship\.maxAge/)
})

test('config print: exits with 2 for an unknown variable', async () => {
  const { code, stdout, stderr } = await run(['config', 'print'], { env: { INTERCEPTOR_LOG_LEVL: 'info' } })
  assert.deepEqual([code, stdout], [EXIT_USAGE, ''])
  assert.match(stderr, /did you mean INTERCEPTOR_LOG_LEVEL\?/)
})

test('config schema: prints the schema of the repository', async () => {
  const { code, stdout } = await run(['config', 'schema'])
  const kept = readFileSync(new URL('../../../schema/config.schema.json', import.meta.url), 'utf8')
  assert.deepEqual([code, stdout], [0, kept])
})
