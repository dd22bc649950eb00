import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { canonicalAddress, readPod } from '../../../src/discovery/kubernetes/known-pod.ts'

const POD = {
  metadata: {
    name: 'web-5d4f-x',
    namespace: 'shop',
    uid: 'u1',
    creationTimestamp: '2025-11-25T16:00:00Z',
    labels: { app: 'web', 'pod-template-hash': '5d4f' },
    annotations: { 'interceptor.dev/capture': 'false', 'linkerd.io/inject': 'enabled', secret: 'x' },
    ownerReferences: [
      { kind: 'Other', name: 'watcher', apiVersion: 'v1', controller: false },
      { kind: 'ReplicaSet', name: 'web-5d4f', apiVersion: 'apps/v1', controller: true },
    ],
    managedFields: [{ manager: 'kubelet' }],
  },
  spec: {
    containers: [
      {
        name: 'app',
        ports: [{ containerPort: 8080 }, { containerPort: 53, protocol: 'UDP' }, { containerPort: 9090 }],
      },
      { name: 'late' },
    ],
    initContainers: [{ name: 'setup' }, { name: 'proxy', restartPolicy: 'Always', ports: [{ containerPort: 4143 }] }],
    ephemeralContainers: [{ name: 'debugger' }],
  },
  status: {
    phase: 'Running',
    startTime: '2025-11-25T16:00:01Z',
    hostIP: '192.0.2.1',
    podIP: '10.244.0.7',
    podIPs: [{ ip: '10.244.0.7' }, { ip: 'FD44:0::7' }],
    containerStatuses: [{ name: 'app', containerID: 'containerd://aa' }, { name: 'late' }],
    initContainerStatuses: [
      { name: 'proxy', containerID: 'cri-o://bb' },
      { name: 'setup', containerID: 'containerd://cc' },
    ],
    ephemeralContainerStatuses: [{ name: 'debugger', containerID: 'docker://dd' }],
  },
}

test('readPod: keeps only what discovery needs', () => {
  assert.deepEqual(readPod(POD), {
    uid: 'u1',
    cgroupUid: 'u1',
    name: 'web-5d4f-x',
    namespace: 'shop',
    labels: { app: 'web', 'pod-template-hash': '5d4f' },
    annotations: { 'interceptor.dev/capture': 'false' },
    addresses: ['10.244.0.7', 'fd44::7'],
    hostAddresses: ['192.0.2.1'],
    hostNetwork: false,
    phase: 'Running',
    createdMicros: Date.parse('2025-11-25T16:00:00Z') * 1000,
    startMicros: Date.parse('2025-11-25T16:00:01Z') * 1000,
    deletionMicros: null,
    containers: [
      { name: 'app', role: 'app', ports: [8080, 9090], tlsPorts: [], args: [], id: 'aa' },
      { name: 'late', role: 'app', ports: [], tlsPorts: [], args: [], id: null },
      { name: 'setup', role: 'init', ports: [], tlsPorts: [], args: [], id: 'cc' },
      { name: 'proxy', role: 'sidecar', ports: [4143], tlsPorts: [], args: [], id: 'bb' },
      { name: 'debugger', role: 'ephemeral', ports: [], tlsPorts: [], args: [], id: 'dd' },
    ],
    owner: { kind: 'ReplicaSet', name: 'web-5d4f', apiVersion: 'apps/v1' },
    workload: { kind: 'Deployment', name: 'web' },
  })
})

test('readPod: a static pod’s cgroup uid is its config hash', () => {
  const metadata = {
    uid: 'mirror',
    annotations: { 'kubernetes.io/config.hash': 'abc', 'kubernetes.io/config.mirror': 'abc' },
  }
  const pod = readPod({ metadata, spec: { hostNetwork: true }, status: { podIP: '192.0.2.1' } })!
  assert.deepEqual([pod.uid, pod.cgroupUid, pod.hostNetwork, pod.addresses], ['mirror', 'abc', true, ['192.0.2.1']])
  assert.deepEqual(pod.annotations, {})
})

test('readPod: accepts any JSON; without a uid it returns null', () => {
  assert.equal(readPod(null), null)
  assert.equal(readPod({ metadata: { uid: 7 } }), null)
  const broken = (key: 'metadata' | 'spec' | 'status') => fc.record({ key: fc.constant(key), value: fc.jsonValue() })
  fc.assert(
    fc.property(fc.oneof(broken('metadata'), broken('spec'), broken('status')), ({ key, value }) => {
      const metadata = key === 'metadata' ? { ...(value as object), uid: 'u' } : POD.metadata
      assert.notEqual(readPod({ ...POD, [key]: value, metadata }), null)
    }),
  )
})

test('canonicalAddress: formats as RFC 5952', () => {
  assert.equal(canonicalAddress('2001:DB8:0:0:0:0:0:1'), '2001:db8::1')
  assert.equal(canonicalAddress('10.0.0.1'), '10.0.0.1')
  assert.equal(canonicalAddress('None'), null)
  assert.equal(canonicalAddress(''), null)
  assert.equal(canonicalAddress('fe80::1%eth0'), null)
})
