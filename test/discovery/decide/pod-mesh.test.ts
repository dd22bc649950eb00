import assert from 'node:assert/strict'
import { test } from 'node:test'
import { endpointOf } from '../../../src/discovery/decide/endpoint.ts'
import { isAmbient, meshOf } from '../../../src/discovery/decide/pod-mesh.ts'
import type { KnownPod } from '../../../src/discovery/kubernetes/known-pod.ts'
import type { MeshDecision } from '../../../src/discovery/proc/mesh.ts'
import { container, seen, sidecar, told } from '../make.ts'

const withContainers = (...containers: KnownPod['containers']): KnownPod => told('a', { containers })
const app = container('app')

const byContainers: [
  title: string,
  pod: KnownPod,
  expected: `${MeshDecision['name']} ${MeshDecision['role']}` | null,
][] = [
  ['no proxy', withContainers(app), null],
  ['Istio’s proxy has not started yet', withContainers(app, container('istio-proxy')), 'istio sidecar'],
  [
    'a native sidecar',
    withContainers(app, container('istio-proxy', { role: 'sidecar' }), container('istio-init', { role: 'init' })),
    'istio sidecar',
  ],
  ['an init container of that name', withContainers(app, container('istio-proxy', { role: 'init' })), null],
  ['Istio’s gateway', withContainers(container('istio-proxy')), 'istio gateway'],
  [
    'gRPC without a proxy',
    {
      ...withContainers(app, container('istio-proxy')),
      annotations: { 'inject.istio.io/templates': 'grpc-agent' },
    },
    null,
  ],
  ['Linkerd', withContainers(app, container('linkerd-proxy')), 'linkerd sidecar'],
  ['Kuma', withContainers(app, container('kuma-sidecar')), 'kuma sidecar'],
  ['Consul', withContainers(app, container('consul-dataplane')), 'consul sidecar'],
  ['a container named as what every object has', withContainers(container('constructor')), null],
]

for (const [title, pod, expected] of byContainers) {
  test(`meshOf: ${title}`, () => {
    const mesh = meshOf(seen('a'), pod)
    assert.equal(mesh === null ? null : `${mesh.name} ${mesh.role}`, expected)
  })
}

test('meshOf: programs that run say more than containers', () => {
  const gateway: MeshDecision = { ...sidecar('istio'), role: 'gateway' }
  assert.equal(meshOf(seen('a', { mesh: gateway }), withContainers(app, container('istio-proxy')))?.role, 'gateway')
})

test('meshOf: a port that an annotation moved is the proxy’s, and the usual one the application’s', () => {
  const annotations = { 'config.linkerd.io/inbound-port': '5143', 'config.linkerd.io/outbound-port': ' 5140 ' }
  const mesh = meshOf(seen('a', { mesh: sidecar('linkerd') }), told('a', { annotations }))
  assert.deepEqual([mesh?.ownPorts, mesh?.outboundPorts], [[5143, 4190, 4191], [5140]])
})

test('meshOf: what is no port moves nothing', () => {
  for (const value of ['', '0', '65536', '1.5', 'x', '-1']) {
    const mesh = meshOf(
      seen('a', { mesh: sidecar('istio') }),
      told('a', { annotations: { 'status.sidecar.istio.io/port': value } }),
    )
    assert.deepEqual(mesh?.ownPorts, sidecar('istio').ownPorts)
  }
})

test('meshOf: Consul’s upstreams are where the application sends to', () => {
  const annotations = { 'consul.hashicorp.com/connect-service-upstreams': 'api:1234, pay.svc:2345:dc1,broken' }
  assert.deepEqual(
    meshOf(seen('a', { mesh: sidecar('consul') }), told('a', { annotations }))?.outboundPorts,
    [15001, 1234, 2345],
  )
})

test('isAmbient: a pod can be taken out by its label', () => {
  const annotations = { 'ambient.istio.io/redirection': 'enabled' }
  assert.equal(isAmbient(told('a', { annotations })), true)
  assert.equal(isAmbient(told('a', { annotations, labels: { 'istio.io/dataplane-mode': 'none' } })), false)
})

const containers: [title: string, pod: KnownPod, name: string | null][] = [
  ['its only container', withContainers(app), 'app'],
  ['beside a proxy', withContainers(app, container('istio-proxy', { role: 'sidecar' })), 'app'],
  ['beside one that ended', withContainers(container('init', { role: 'init' }), app), 'app'],
  ['beside one that looks into it', withContainers(app, container('debug', { role: 'ephemeral' })), 'app'],
  ['two', withContainers(app, container('cache')), null],
  ['one that stays beside it', withContainers(app, container('logs', { role: 'sidecar' })), null],
]

for (const [title, pod, name] of containers) {
  test(`endpointOf: the container: ${title}`, () => assert.equal(endpointOf(pod).container, name))
}

test('endpointOf: containers by the ports they declare, and the same object each time', () => {
  const pod = withContainers(container('a', { ports: [80, 81] }), container('b', { ports: [81, 82] }))
  assert.deepEqual(endpointOf(pod).containersByPort, { 80: 'a', 81: 'a', 82: 'b' })
  assert.equal(endpointOf(pod), endpointOf(pod))
})
