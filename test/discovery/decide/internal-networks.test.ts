import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clusterNetworks } from '../../../src/discovery/decide/internal-networks.ts'
import { seen, snapshotOf } from '../make.ts'

const node = snapshotOf([seen('a', { addresses: ['10.244.0.7', 'fd44::7'] }), seen('b', { addresses: ['10.9.0.9'] })])

test('clusterNetworks: what is told, the host and the pods here, as few as possible', () => {
  assert.deepEqual(clusterNetworks([], ['10.244.0.0/16', '10.96.0.0/12'], node), [
    '10.9.0.9/32',
    '10.96.0.0/12',
    '10.244.0.0/16',
    '192.0.2.2/32',
    'fd44::7/128',
  ])
})

test('clusterNetworks: what is configured is in the place of what is told', () => {
  const networks = clusterNetworks(['10.0.0.0/8'], ['172.16.0.0/12'], node)
  assert.deepEqual(networks, ['10.0.0.0/8', '192.0.2.2/32', 'fd44::7/128'])
})
