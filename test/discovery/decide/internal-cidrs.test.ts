import assert from 'node:assert/strict'
import { test } from 'node:test'
import { internalCidrs } from '../../../src/discovery/decide/internal-cidrs.ts'
import { procPod, snapshotOf } from '../make.ts'

const node = snapshotOf([
  procPod('a', { addresses: ['10.244.0.7', 'fd44::7'] }),
  procPod('b', { addresses: ['10.9.0.9'] }),
])

test('internalCidrs: aggregates the API server’s networks with the addresses of this node and its pods', () => {
  assert.deepEqual(internalCidrs([], ['10.244.0.0/16', '10.96.0.0/12'], node), [
    '10.9.0.9/32',
    '10.96.0.0/12',
    '10.244.0.0/16',
    '192.0.2.2/32',
    'fd44::7/128',
  ])
})

test('internalCidrs: configured networks replace those of the API server', () => {
  const networks = internalCidrs(['10.0.0.0/8'], ['172.16.0.0/12'], node)
  assert.deepEqual(networks, ['10.0.0.0/8', '192.0.2.2/32', 'fd44::7/128'])
})
