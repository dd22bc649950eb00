import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ambientBypass, excludedInterfaces, sidecarBypass } from '../../../src/discovery/decide/mesh-bypass.ts'
import type { KnownPod } from '../../../src/discovery/kubernetes/known-pod.ts'
import type { MeshName } from '../../../src/discovery/proc/mesh.ts'
import type { Pod } from '../../../src/discovery/proc/snapshot.ts'
import { formatPortRanges } from '../../../src/net/port-ranges.ts'
import type { Bypass } from '../../../src/target/interface-info.ts'
import { container, knownPod, listening, procPod, sidecar } from '../make.ts'

const shown = (bypass: Bypass | null): string | null =>
  bypass && [formatPortRanges(bypass.inbound), formatPortRanges(bypass.outbound), bypass.outboundNetworks].join(' | ')

const annotated: [mesh: MeshName, annotations: Record<string, string>, expected: string | null][] = [
  ['linkerd', {}, null],
  ['linkerd', { 'config.linkerd.io/skip-inbound-ports': '8081,9000-9010' }, '8081, 9000-9010 |  | '],
  ['linkerd', { 'config.linkerd.io/skip-outbound-ports': '3306' }, ' | 3306 | '],
  ['linkerd', { 'config.linkerd.io/skip-subnets': '10.1.0.0/16, 192.0.2.9' }, ' |  | 10.1.0.0/16,192.0.2.9'],
  ['linkerd', { 'config.linkerd.io/skip-inbound-ports': '4143,4190,4191,http' }, null],
  ['linkerd', { 'traffic.sidecar.istio.io/excludeInboundPorts': '8081' }, null],
  ['istio', { 'traffic.sidecar.istio.io/excludeInboundPorts': '8081, 15020' }, '8081 |  | '],
  ['istio', { 'traffic.sidecar.istio.io/excludeOutboundPorts': '5432' }, ' | 5432 | '],
  ['istio', { 'traffic.sidecar.istio.io/excludeOutboundIPRanges': '203.0.113.0/24' }, ' |  | 203.0.113.0/24'],
  ['istio', { 'traffic.sidecar.istio.io/includeInboundPorts': '*' }, null],
  [
    'istio',
    { 'traffic.sidecar.istio.io/includeInboundPorts': '8080' },
    '1-8079, 8081-14999, 15002-15003, 15005, 15007, 15009-15019, 15022-15052, 15054-15089, 15091-65535 |  | ',
  ],
  ['kuma', { 'traffic.kuma.io/exclude-inbound-ports': '1234' }, '1234 |  | '],
  ['consul', { 'consul.hashicorp.com/transparent-proxy-exclude-inbound-ports': '1234' }, '1234 |  | '],
  ['consul', { 'consul.hashicorp.com/transparent-proxy-exclude-outbound-cidrs': '10.9.0.0/16' }, ' |  | 10.9.0.0/16'],
]

for (const [mesh, annotations, expected] of annotated) {
  test(`sidecarBypass: ${mesh} with ${JSON.stringify(annotations)}`, () => {
    assert.equal(shown(sidecarBypass(procPod('a'), knownPod('a', { annotations }), sidecar(mesh))), expected)
  })
}

test('sidecarBypass: without redirection every port but the proxy’s bypasses it, in both directions', () => {
  for (const [mesh, annotation, value] of [
    ['istio', 'sidecar.istio.io/interceptionMode', 'NONE'],
    ['consul', 'consul.hashicorp.com/transparent-proxy', 'false'],
  ] as const) {
    const bypass = sidecarBypass(procPod('a'), knownPod('a', { annotations: { [annotation]: value } }), sidecar(mesh))
    const contains = (ports: Bypass['inbound'] = [], port: number): boolean =>
      ports.some(({ first, last }) => first <= port && port <= last)
    assert.ok(contains(bypass?.inbound, 8080) && contains(bypass?.outbound, 80))
    assert.ok(!contains(bypass?.inbound, sidecar(mesh).ownPorts[0]))
  }
})

test('sidecarBypass: nothing is known without the API server', () => {
  assert.equal(sidecarBypass(procPod('a'), null, sidecar('linkerd')), null)
})

const withInit = (name: string, ...args: string[]): KnownPod =>
  knownPod('a', { containers: [container('app', { ports: [8080] }), container(name, { role: 'init', args })] })

const inits: [title: string, mesh: MeshName, known: KnownPod, pod: Partial<Pod>, expected: string | null][] = [
  ['unused ports', 'linkerd', withInit('linkerd-init', '--inbound-ports-to-ignore', '4190,4191,4567,4568'), {}, null],
  [
    'a port that the pod listens on',
    'linkerd',
    withInit('linkerd-init', '--inbound-ports-to-ignore', '4190,4567'),
    { listeners: listening(4567, 9999) },
    '4567 |  | ',
  ],
  ['a declared port', 'linkerd', withInit('linkerd-init', '--inbound-ports-to-ignore=8080'), {}, '8080 |  | '],
  [
    'Istio’s option',
    'istio',
    withInit('istio-init', 'istio-iptables', '-b', '*', '-d', '15090,8080'),
    {},
    '8080 |  | ',
  ],
  ['Kuma’s option', 'kuma', withInit('kuma-init', '--exclude-inbound-ports', '8080'), {}, '8080 |  | '],
  ['an option without a value', 'linkerd', withInit('linkerd-init', '--inbound-ports-to-ignore'), {}, null],
]

for (const [title, mesh, known, pod, expected] of inits) {
  test(`sidecarBypass: init container: ${title}`, () => {
    assert.equal(shown(sidecarBypass(procPod('a', pod), known, sidecar(mesh))), expected)
  })
}

test('ambientBypass: the annotation excludes inbound traffic', () => {
  const known = (value: string): KnownPod =>
    knownPod('a', { annotations: { 'ambient.istio.io/bypass-inbound-capture': value } })
  assert.equal(shown(ambientBypass(known('true'))), 'all |  | ')
  assert.equal(ambientBypass(known('false')), null)
  assert.equal(ambientBypass(null), null)
})

test('excludedInterfaces: Istio’s annotation', () => {
  const known = knownPod('a', { annotations: { 'traffic.sidecar.istio.io/excludeInterfaces': 'net1, net2' } })
  assert.deepEqual(excludedInterfaces(known, 'istio'), ['net1', 'net2'])
  assert.deepEqual(excludedInterfaces(known, 'linkerd'), [])
})
