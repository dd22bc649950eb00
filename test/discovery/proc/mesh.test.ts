import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decideMesh, type MeshDecision } from '../../../src/discovery/proc/mesh.ts'

/** @param lines `container:command line` each */
const programs = (...lines: string[]) =>
  lines.map((line) => {
    const [containerId = '', command = ''] = line.split(/:(.*)/)
    const name = command.split(' ')[0].split('/').at(-1)!
    return { name, command, cgroup: { podUid: 'u', containerId, runtime: null, monitor: false, kata: false } }
  })

const AGENT = '/usr/local/bin/pilot-agent proxy'
const ENVOY = '/usr/local/bin/envoy -c etc/istio/proxy/envoy-rev.json'

const cases: [title: string, lines: string[], expected: `${MeshDecision['name']} ${MeshDecision['role']}` | null][] = [
  ['no proxy', ['a:node server.js', 'b:redis-server'], null],
  ['Envoy alone is not a mesh', ['a:envoy -c /etc/envoy/envoy.yaml', 'b:node'], null],
  ['Istio sidecar', ['a:node', `b:${AGENT} sidecar --domain shop`, `b:${ENVOY}`], 'istio sidecar'],
  ['Istio sidecar that has started before its application', [`b:${AGENT} sidecar`, `b:${ENVOY}`], 'istio sidecar'],
  ['Istio’s gateway', [`b:${AGENT} router --domain x`, `b:${ENVOY}`], 'istio gateway'],
  ['Istio’s waypoint', [`b:${AGENT} waypoint`, `b:${ENVOY}`], 'istio gateway'],
  ['Istio with proxyless gRPC', ['a:node', `b:${AGENT} sidecar`], null],
  ['Istio’s control plane', ['a:/usr/local/bin/pilot-discovery discovery'], null],
  ['Linkerd', ['a:node', 'b:/usr/lib/linkerd/linkerd2-proxy'], 'linkerd sidecar'],
  ['Linkerd before its proxy has started', ['a:node', 'b:/usr/lib/linkerd/linkerd2-proxy-identity'], null],
  ['Consul', ['a:node', 'b:consul-dataplane -addresses x', 'b:envoy --config-path x'], 'consul sidecar'],
  [
    'Consul before 1.0',
    ['a:node', 'b:envoy --config-path /consul/connect-inject/envoy-bootstrap.yaml'],
    'consul sidecar',
  ],
  ['Consul’s gateway', ['b:consul-dataplane -addresses x', 'b:envoy --config-path x'], 'consul gateway'],
  ['Kuma', ['a:node', 'b:kuma-dp run --log-level=info', 'b:envoy', 'b:coredns'], 'kuma sidecar'],
  ['Kuma’s zone ingress', ['b:kuma-dp run --proxy-type=ingress', 'b:envoy'], 'kuma gateway'],
  ['Kuma’s built-in gateway', ['b:kuma-dp run', 'b:envoy'], 'kuma gateway'],
]

for (const [title, lines, expected] of cases) {
  test(`decideMesh: ${title}`, () => {
    const decision = decideMesh(programs(...lines))
    assert.equal(decision === null ? null : `${decision.name} ${decision.role}`, expected)
  })
}

test('decideMesh: never excludes the outbound ports', () => {
  const outgoing = { istio: 15001, linkerd: 4140, kuma: 15001, consul: 15001 }
  for (const [, lines] of cases) {
    const decision = decideMesh(programs(...lines))
    if (decision !== null) assert.ok(!decision.ownPorts.includes(outgoing[decision.name]))
  }
})
