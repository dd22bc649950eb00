import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decide } from '../../../src/discovery/decide/decide.ts'
import type { TargetRules } from '../../../src/discovery/decide/decision.ts'
import { joinPods } from '../../../src/discovery/decide/join-pods.ts'
import type { KnownPod } from '../../../src/discovery/kubernetes/known-pod.ts'
import type { Container, Pod } from '../../../src/discovery/proc/snapshot.ts'
import { formatPortRanges } from '../../../src/net/port-ranges.ts'
import { container, knownPod, listening, onHost, procPod, rulesWith, sidecar, snapshotOf } from '../make.ts'

const running = (process: string): Container => ({ id: process.padStart(64, 'a'), runtime: null, pid: 1, process })
const annotated = (annotations: Record<string, string>): Partial<KnownPod> => ({ annotations })
const interfaces = (value: string): Partial<KnownPod> => annotated({ 'interceptor.dev/interfaces': value })
const onLoopback = (port: number): Pod['listeners'][number] => ({ ...listening(port)[0], loopbackOnly: true })

function decided(pod: Partial<Pod>, known: Partial<KnownPod> | null, rules: Partial<TargetRules> = {}) {
  const pods = [procPod('a', pod)]
  const joined = joinPods(pods, known === null ? [] : [knownPod('a', known)])
  return decide(snapshotOf(pods), joined, rulesWith(rules))
}

/** `interface(inbound|outbound) …: reason` */
function shown(...args: Parameters<typeof decided>): string {
  const [{ captures, reason }] = decided(...args).pods
  const points = captures.map(({ interface: device, bypass }) => {
    return bypass === null
      ? device
      : `${device}(${formatPortRanges(bypass.inbound)}|${formatPortRanges(bypass.outbound)})`
  })
  return `${points.join(' ')}: ${reason}`
}

const MULTUS: Partial<Pod> = { interfaces: ['lo', 'eth0', 'net1', 'net2', 'docker0'], further: ['net1', 'net2'] }
const MESHED: Partial<Pod> = { mesh: sidecar('linkerd') }
const ZTUNNEL: Partial<Pod> = { listeners: listening(8080, 15001, 15006, 15008) }
const TWO: Partial<Pod> = { containers: [running('node'), running('nginx')] }

const cases: [title: string, pod: Partial<Pod>, known: Partial<KnownPod> | null, expected: string][] = [
  ['an ordinary pod', {}, null, 'eth0: interface'],
  ['further interfaces', MULTUS, null, 'eth0 net1 net2: interface'],
  ['a sidecar', MESHED, null, 'lo: loopback'],
  ['a sidecar and further interfaces, which it redirects too', { ...MULTUS, ...MESHED }, null, 'lo: loopback'],
  [
    'Linkerd, ports that skip it',
    MESHED,
    annotated({ 'config.linkerd.io/skip-inbound-ports': '8081', 'config.linkerd.io/skip-outbound-ports': '3306' }),
    'lo eth0(8081|3306): loopback',
  ],
  [
    'Istio, an excluded port and an excluded interface',
    { ...MULTUS, mesh: sidecar('istio') },
    annotated({
      'traffic.sidecar.istio.io/excludeInboundPorts': '8081',
      'traffic.sidecar.istio.io/excludeInterfaces': 'net1,net7',
    }),
    'lo net1 eth0(8081|): loopback',
  ],
  ['ztunnel’s sockets', ZTUNNEL, null, 'lo: loopback'],
  ['ztunnel’s socket for HBONE alone', { listeners: listening(15008) }, null, 'lo eth0: loopback'],
  [
    'ztunnel’s sockets without inbound redirection',
    ZTUNNEL,
    annotated({ 'ambient.istio.io/bypass-inbound-capture': 'true' }),
    'lo eth0(all|): loopback',
  ],
  ['a sidecar that listens for HBONE', { ...ZTUNNEL, mesh: sidecar('istio') }, null, 'lo: loopback'],
  ['Dapr by its program', { containers: [running('node'), running('daprd')] }, null, 'eth0 lo: interface'],
  ['Dapr by its annotation', {}, annotated({ 'dapr.io/enabled': 'true' }), 'eth0 lo: interface'],
  ['Dapr by its container', {}, { containers: [container('app'), container('daprd')] }, 'eth0 lo: interface'],
  ['two containers', { ...TWO, listeners: listening(80, 3000) }, null, 'eth0: interface'],
  ['a sidecar at a port for TLS', { ...TWO, listeners: listening(8080, 8443) }, null, 'eth0 lo: interface'],
  ['a single container at a port for TLS', { listeners: listening(8443) }, null, 'eth0: interface'],
  [
    'a sidecar that terminates TLS',
    { containers: [running('node'), running('ghostunnel')], listeners: listening(8080, 9000) },
    null,
    'eth0 lo: interface',
  ],
  [
    'a sidecar with a port named https',
    TWO,
    { containers: [container('app'), container('proxy', { ports: [9000], tlsPorts: [9000] })] },
    'eth0 lo: interface',
  ],
  [
    'an application that only loopback reaches, behind an unknown port',
    { ...TWO, listeners: [...listening(9000), onLoopback(8080)] },
    null,
    'eth0 lo: interface',
  ],
  [
    'an application that only loopback reaches, behind a plaintext proxy',
    { ...TWO, listeners: [...listening(80), onLoopback(8080)] },
    null,
    'eth0: interface',
  ],
  ['annotation: lo', {}, interfaces('lo'), 'lo: annotation'],
  ['annotation: several', MULTUS, interfaces('lo, net1'), 'lo net1: annotation'],
  ['annotation: the pod’s interface', MULTUS, interfaces('pod'), 'eth0: annotation'],
  ['annotation: a glob does not match lo', MULTUS, interfaces('net*,l?'), 'net1 net2: annotation'],
  ['annotation: all but lo', MULTUS, interfaces('*'), 'eth0 net1 net2 docker0: annotation'],
  ['annotation: repeated', {}, interfaces('eth0,pod,eth*'), 'eth0: annotation'],
  ['annotation: one that is missing', {}, interfaces('net7,lo'), 'lo: annotation'],
  ['annotation: none that exists', {}, interfaces('net7'), ': noInterface'],
  ['annotation: empty', {}, interfaces(' '), 'eth0: interface'],
  ['annotation: instead of a sidecar’s default', MESHED, interfaces('lo,eth0'), 'lo eth0: annotation'],
]

for (const [title, pod, known, expected] of cases) {
  test(`placePod: ${title}`, () => assert.equal(shown(pod, known), expected))
}

test('placePod: names the interfaces of an annotation that do not exist', () => {
  assert.match(
    decided({}, interfaces('net7,lo')).pods[0].why,
    /interceptor\.dev\/interfaces is net7,lo; not found: net7$/,
  )
})

test('placePod: the annotation does not apply to a pod with the host’s network', () => {
  const pods = [onHost('a')]
  const { targets } = decide(snapshotOf(pods), joinPods(pods, [knownPod('a', interfaces('lo'))]), rulesWith())
  assert.deepEqual(
    targets.map(({ device }) => device),
    ['any'],
  )
})

test('placePod: the first matching rule applies, and an annotation takes precedence', () => {
  const interfaceRules = [
    { matches: ({ namespace }: KnownPod) => namespace === 'pay', interfaces: ['eth0'] },
    { matches: ({ labels }: KnownPod) => labels['app'] === 'web', interfaces: ['lo', 'net1'] },
    { matches: () => true, interfaces: ['net2'] },
  ]
  const web = { labels: { app: 'web' } }
  assert.equal(shown(MULTUS, web, { interfaceRules }), 'lo net1: rule')
  assert.equal(shown(MULTUS, { ...web, namespace: 'pay' }, { interfaceRules }), 'eth0: rule')
  assert.equal(shown(MULTUS, {}, { interfaceRules }), 'net2: rule')
  assert.equal(shown(MULTUS, { ...web, ...interfaces('pod') }, { interfaceRules }), 'eth0: annotation')
  assert.equal(shown(MULTUS, null, { interfaceRules }), 'eth0 net1 net2: interface')
})

test('decide: the external interface beside a sidecar passes only the ports that bypass it, and is in no mesh', () => {
  const { targets } = decided(MESHED, annotated({ 'config.linkerd.io/skip-inbound-ports': '8081,4143' }))
  const [loopback, external] = targets
  assert.deepEqual([loopback.info.mesh, loopback.onlyPorts], ['linkerd', null])
  assert.deepEqual([external.info.mesh, external.onlyPorts], [null, [{ first: 8081, last: 8081 }]])
  assert.deepEqual(external.info.vantagePoint?.bypass?.inbound, [{ first: 8081, last: 8081 }])
})

test('decide: networks that bypass a sidecar are not decided by the kernel filter', () => {
  const { targets } = decided(MESHED, annotated({ 'config.linkerd.io/skip-subnets': '192.0.2.0/24' }))
  assert.equal(targets[1].onlyPorts, null)
})

test('decide: loopback in ambient mode has ztunnel’s ports', () => {
  const { targets, pods } = decided(ZTUNNEL, null, { excludePorts: [22] })
  const [{ info, excludePorts }] = targets
  assert.deepEqual([info.mesh, info.vantagePoint?.outboundPorts], ['istio', [15001]])
  assert.ok([15006, 15008, 22].every((port) => excludePorts.includes(port)) && !excludePorts.includes(15001))
  assert.equal(pods[0].ambient, true)
})

test('decide: loopback of a pod without a mesh excludes no ports', () => {
  const { targets } = decided({}, interfaces('lo'))
  const [{ info, excludePorts }] = targets
  assert.deepEqual([info.mesh, info.vantagePoint?.scope, excludePorts], [null, 'loopback', []])
})
