import assert from 'node:assert/strict'
import { test } from 'node:test'
import { endpointOfKnown } from '../../../src/discovery/decide/endpoint.ts'
import { isAmbient, meshOf } from '../../../src/discovery/decide/pod-mesh.ts'
import type { KnownPod } from '../../../src/discovery/kubernetes/known-pod.ts'
import type { MeshDecision } from '../../../src/discovery/proc/mesh.ts'
import { container, knownPod, procPod, sidecar } from '../make.ts'

const withContainers = (...containers: KnownPod['containers']): KnownPod => knownPod('a', { containers })
const app = container('app')

const byContainers: [
  title: string,
  pod: KnownPod,
  expected: `${MeshDecision['name']} ${MeshDecision['role']}` | null,
][] = [
  ['no proxy', withContainers(app), null],
  ['Istio, whose proxy has not started yet', withContainers(app, container('istio-proxy')), 'istio sidecar'],
  [
    'Istio as a native sidecar',
    withContainers(app, container('istio-proxy', { role: 'sidecar' }), container('istio-init', { role: 'init' })),
    'istio sidecar',
  ],
  ['an init container with a proxy’s name', withContainers(app, container('istio-proxy', { role: 'init' })), null],
  ['Istio’s gateway', withContainers(container('istio-proxy')), 'istio gateway'],
  [
    'proxyless gRPC',
    {
      ...withContainers(app, container('istio-proxy')),
      annotations: { 'inject.istio.io/templates': 'grpc-agent' },
    },
    null,
  ],
  ['Linkerd', withContainers(app, container('linkerd-proxy')), 'linkerd sidecar'],
  ['Kuma', withContainers(app, container('kuma-sidecar')), 'kuma sidecar'],
  ['Consul', withContainers(app, container('consul-dataplane')), 'consul sidecar'],
  ['a container named like a property of Object.prototype', withContainers(container('constructor')), null],
]

for (const [title, pod, expected] of byContainers) {
  test(`meshOf: ${title}`, () => {
    const mesh = meshOf(procPod('a'), pod)
    assert.equal(mesh === null ? null : `${mesh.name} ${mesh.role}`, expected)
  })
}

test('meshOf: running programs take precedence over containers', () => {
  const gateway: MeshDecision = { ...sidecar('istio'), role: 'gateway' }
  assert.equal(meshOf(procPod('a', { mesh: gateway }), withContainers(app, container('istio-proxy')))?.role, 'gateway')
})

test('meshOf: an annotation replaces the proxy’s default port', () => {
  const annotations = { 'config.linkerd.io/inbound-port': '5143', 'config.linkerd.io/outbound-port': ' 5140 ' }
  const mesh = meshOf(procPod('a', { mesh: sidecar('linkerd') }), knownPod('a', { annotations }))
  assert.deepEqual([mesh?.ownPorts, mesh?.outboundPorts], [[5143, 4190, 4191], [5140]])
})

test('meshOf: ignores an annotation that is not a port number', () => {
  for (const value of ['', '0', '65536', '1.5', 'x', '-1']) {
    const mesh = meshOf(
      procPod('a', { mesh: sidecar('istio') }),
      knownPod('a', { annotations: { 'status.sidecar.istio.io/port': value } }),
    )
    assert.deepEqual(mesh?.ownPorts, sidecar('istio').ownPorts)
  }
})

test('meshOf: Consul’s upstreams are outbound ports', () => {
  const annotations = { 'consul.hashicorp.com/connect-service-upstreams': 'api:1234, pay.svc:2345:dc1,broken' }
  assert.deepEqual(
    meshOf(procPod('a', { mesh: sidecar('consul') }), knownPod('a', { annotations }))?.outboundPorts,
    [15001, 1234, 2345],
  )
})

test('isAmbient: the label none overrides the annotation', () => {
  const annotations = { 'ambient.istio.io/redirection': 'enabled' }
  assert.equal(isAmbient(knownPod('a', { annotations })), true)
  assert.equal(isAmbient(knownPod('a', { annotations, labels: { 'istio.io/dataplane-mode': 'none' } })), false)
})

const containers: [title: string, pod: KnownPod, name: string | null][] = [
  ['its only container', withContainers(app), 'app'],
  ['beside a proxy', withContainers(app, container('istio-proxy', { role: 'sidecar' })), 'app'],
  ['beside an init container', withContainers(container('init', { role: 'init' }), app), 'app'],
  ['beside an ephemeral container', withContainers(app, container('debug', { role: 'ephemeral' })), 'app'],
  ['two application containers', withContainers(app, container('cache')), null],
  ['beside a sidecar that is not a proxy', withContainers(app, container('logs', { role: 'sidecar' })), null],
]

for (const [title, pod, name] of containers) {
  test(`endpointOfKnown: container: ${title}`, () => assert.equal(endpointOfKnown(pod).container, name))
}

test('endpointOfKnown: maps declared ports to containers, and returns the same object for the same record', () => {
  const pod = withContainers(container('a', { ports: [80, 81] }), container('b', { ports: [81, 82] }))
  assert.deepEqual(endpointOfKnown(pod).containersByPort, { 80: 'a', 81: 'a', 82: 'b' })
  assert.equal(endpointOfKnown(pod), endpointOfKnown(pod))
})
