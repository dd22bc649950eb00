import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CaptureTarget, targetLogFields } from '../../src/target/capture-target.ts'

const target = (parts: Partial<CaptureTarget>): CaptureTarget => ({
  key: 'eth0',
  device: 'eth0',
  netns: null,
  info: { name: 'eth0', vantage: 'host', mesh: null, vantagePoint: null },
  excludePorts: [],
  onlyAddresses: null,
  onlyPorts: null,
  tunnels: false,
  labels: {},
  ...parts,
})

test('targetLogFields: name the pod and its namespace if the interface is a pod’s', () => {
  const pod = target({ key: '4026532411/eth0', labels: { namespace: 'shop', pod: 'cart-0' } })
  assert.deepEqual(targetLogFields(pod), {
    interface: 'eth0',
    namespace: 'shop',
    pod: 'cart-0',
    key: '4026532411/eth0',
  })
})

test('targetLogFields: name only the interface of the host', () => {
  assert.deepEqual(targetLogFields(target({ labels: { namespace: '', pod: '' } })), { interface: 'eth0' })
})
