import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brokerExclusions } from '../../../src/capture/filter/exclusions.ts'

test('broker exclusions: excludes addresses and resolved names, and ignores names that do not resolve', async () => {
  assert.deepEqual(await brokerExclusions(['10.0.0.1:9092', '[fd77::1]:9093']), [
    { address: '10.0.0.1', port: 9092 },
    { address: 'fd77::1', port: 9093 },
  ])
  const local = await brokerExclusions(['localhost:9092', 'no-such-broker.invalid:9092'])
  assert.ok(local.length > 0)
  assert.ok(local.every(({ address, port }) => ['127.0.0.1', '::1'].includes(address!) && port === 9092))
})
