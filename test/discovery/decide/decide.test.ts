import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decide } from '../../../src/discovery/decide/decide.ts'
import type { Decisions, TargetRules } from '../../../src/discovery/decide/decision.ts'
import { joinPods } from '../../../src/discovery/decide/join-pods.ts'
import type { KnownPod } from '../../../src/discovery/kubernetes/known-pod.ts'
import type { Pod, Snapshot } from '../../../src/discovery/proc/snapshot.ts'
import { container, HOST, knownPod, listening, onHost, procPod, rulesWith, sidecar, snapshotOf } from '../make.ts'

interface Node {
  pods: readonly Pod[]
  known?: readonly KnownPod[]
  rules?: Partial<TargetRules>
  snapshot?: Partial<Snapshot>
}

function decided({ pods, known = [], rules = {}, snapshot = {} }: Node): Decisions {
  return decide(snapshotOf(pods, snapshot), joinPods(pods, known), rulesWith(rules))
}

test('decide: captures a pod without a mesh on its external interface, with its name', () => {
  const api = knownPod('a', {
    labels: { app: 'api' },
    workload: { kind: 'Deployment', name: 'api' },
    containers: [container('app', { ports: [8080] }), container('setup', { role: 'init', ports: [1] })],
  })
  const { pods, targets } = decided({ pods: [procPod('a')], known: [api], rules: { excludePorts: [5432] } })
  assert.equal(pods[0]?.why, 'no mesh; its default route')
  const identity = { name: 'a', namespace: 'shop', uid: 'a', workload: api.workload, labels: api.labels }
  assert.deepEqual(targets, [
    {
      key: '2000/eth0',
      device: 'eth0',
      netns: { path: '/host/proc/4211/ns/net', inode: 2000 },
      info: {
        name: 'eth0',
        vantage: 'server',
        mesh: null,
        vantagePoint: {
          scope: 'pod',
          pod: { identity, container: 'app', containersByPort: { 8080: 'app' } },
          addresses: ['10.244.0.7'],
          outboundPorts: [],
          listeners: {},
          hopLimit: 0,
          tunnels: false,
          bypass: null,
        },
      },
      excludePorts: [5432],
      onlyPorts: null,
      onlyAddresses: null,
      tunnels: false,
      labels: { namespace: 'shop', pod: 'a' },
    },
  ])
})

test('decide: without an API server a pod has its uid, its containers’ ids and the name from its environment', () => {
  const listeners = [
    { port: 8080, loopbackOnly: false, podUid: 'a', containerId: 'c1' },
    { port: 9000, loopbackOnly: false, podUid: null, containerId: null },
  ]
  const pod = procPod('a', { nameHint: 'shop-0', namespaceHint: 'shop', applications: ['c1'], listeners })
  const [target] = decided({ pods: [pod] }).targets
  assert.deepEqual(target.labels, { namespace: '', pod: 'a' })
  assert.deepEqual(target.info.vantagePoint?.pod, {
    identity: { name: 'shop-0', namespace: null, uid: 'a', workload: null, labels: {} },
    container: 'c1',
    containersByPort: { 8080: 'c1' },
  })
})

test('decide: without an API server, the container of a pod with several is the one that owns the port', () => {
  const listeners = [{ port: 8080, loopbackOnly: false, podUid: 'a', containerId: 'c2' }]
  const [target] = decided({ pods: [procPod('a', { applications: ['c1', 'c2'], listeners })] }).targets
  const { container, containersByPort } = target.info.vantagePoint?.pod ?? {}
  assert.deepEqual([container, containersByPort], [null, { 8080: 'c2' }])
})

test('decide: captures a pod with a sidecar on loopback, without the proxy’s own ports', () => {
  for (const [mesh, outbound, own] of [
    ['istio', 15001, 15006],
    ['linkerd', 4140, 4143],
    ['kuma', 15001, 9901],
    ['consul', 15001, 20000],
  ] as const) {
    const { targets } = decided({ pods: [procPod('a', { mesh: sidecar(mesh) })], rules: { excludePorts: [5432] } })
    const [target] = targets
    assert.deepEqual([target?.key, target?.info.mesh, target?.info.vantagePoint?.scope], ['2000/lo', mesh, 'loopback'])
    assert.deepEqual(target?.info.vantagePoint?.outboundPorts, [outbound])
    assert.ok(target?.excludePorts.includes(own) && target.excludePorts.includes(5432))
    assert.ok(!target.excludePorts.includes(outbound))
  }
})

const reasons: [title: string, node: Node, captured: string | null, why: RegExp][] = [
  ['a virtual machine', { pods: [procPod('a', { sandbox: 'Kata Containers: x' })] }, null, /^Kata Containers/],
  ['no interface yet', { pods: [procPod('a', { external: null })] }, null, /^no interface except loopback/],
  [
    'no default route',
    { pods: [procPod('a', { external: { name: 'net1', by: 'address' } })] },
    'net1',
    /^no mesh; no default route: the first/,
  ],
  [
    'a gateway of a mesh',
    { pods: [procPod('a', { mesh: { ...sidecar('istio'), role: 'gateway' } })] },
    'eth0',
    /^Istio gateway without an application; its default route$/,
  ],
  [
    'ambient, by the label',
    { pods: [procPod('a')], known: [knownPod('a', { labels: { 'istio.io/dataplane-mode': 'ambient' } })] },
    'eth0',
    /^Istio ambient .*HBONE.*TLS; its default route$/,
  ],
  [
    'ambient, by the CNI plugin’s annotation',
    { pods: [procPod('a')], known: [knownPod('a', { annotations: { 'ambient.istio.io/redirection': 'enabled' } })] },
    'eth0',
    /^Istio ambient/,
  ],
  [
    'ztunnel runs here, pod not reported',
    { pods: [procPod('a')], snapshot: { ambient: true } },
    'eth0',
    /^no sidecar; ztunnel/,
  ],
  [
    'ztunnel runs here, pod known not to be in ambient mode',
    { pods: [procPod('a')], known: [knownPod('a')], snapshot: { ambient: true } },
    'eth0',
    /^no mesh;/,
  ],
  [
    'host network on a host without addresses',
    { pods: [onHost('a')], snapshot: { host: { ...HOST, allAddresses: [] } } },
    null,
    /^no interface/,
  ],
  ['its own pod, by uid', { pods: [procPod('a')], rules: { own: { ...NO_OWN_POD(), uid: 'a' } } }, null, /own pod$/],
  [
    'its own pod, by namespace',
    { pods: [procPod('a')], rules: { own: { ...NO_OWN_POD(), netns: 2000 } } },
    null,
    /own pod$/,
  ],
  [
    'its own pod, by name',
    { pods: [procPod('a')], known: [knownPod('a')], rules: { own: { ...NO_OWN_POD(), name: 'a', namespace: 'shop' } } },
    null,
    /own pod$/,
  ],
  [
    'its own pod, although its annotation is true',
    {
      pods: [procPod('a')],
      known: [knownPod('a', { annotations: { 'interceptor.dev/capture': 'true' } })],
      rules: { own: { ...NO_OWN_POD(), uid: 'a' } },
    },
    null,
    /own pod$/,
  ],
  [
    'another pod with the host’s network, like the agent’s own',
    { pods: [onHost('a')], rules: { own: { ...NO_OWN_POD(), netns: HOST.netns } } },
    'any',
    /^host network/,
  ],
]

function NO_OWN_POD() {
  return { uid: null, name: null, namespace: null, netns: null }
}

for (const [title, node, captured, why] of reasons) {
  test(`decide: ${title}`, () => {
    const { pods, targets } = decided(node)
    assert.match(pods[0].why, why)
    assert.equal(pods[0].captures[0]?.interface ?? null, captured)
    assert.deepEqual(
      targets.map(({ device }) => device),
      captured === null ? [] : [captured],
    )
  })
}

const exporter = knownPod('exporter', { hostNetwork: true, containers: [container('exporter', { ports: [9100] })] })

test('decide: pods with the host’s network share one target that maps ports to pods', () => {
  const proxy = onHost('proxy', { listeners: listening(10256) })
  const unnamed = onHost('unnamed', { listeners: listening(4444) })
  const { targets } = decided({
    pods: [onHost('exporter'), proxy, unnamed],
    known: [exporter, knownPod('proxy', { hostNetwork: true })],
    rules: { adminPort: 9464, excludePorts: [22] },
  })
  const [target, ...more] = targets
  assert.deepEqual(more, [])
  assert.deepEqual([target?.key, target?.device, target?.netns?.path], ['1000/any', 'any', '/host/proc/1/ns/net'])
  assert.deepEqual(target?.onlyAddresses, HOST.allAddresses)
  assert.deepEqual(target?.excludePorts, [22, 9464])
  const listeners = Object.entries(target?.info.vantagePoint?.listeners ?? {}).map(([port, pod]) => [
    port,
    pod.identity.name,
  ])
  assert.deepEqual(listeners, [
    ['4444', null],
    ['9100', 'exporter'],
    ['10256', 'proxy'],
  ])
})

test('decide: captures tunnels on configured interfaces of the host, and nowhere else', () => {
  const tunnels = (hostInterfaces: string[]) => {
    const { targets } = decided({
      pods: [onHost('exporter'), procPod('a')],
      known: [exporter, knownPod('a')],
      rules: { hostInterfaces },
    })
    return targets.map(({ device, tunnels: passes, info }) => [device, passes, info.vantagePoint?.tunnels])
  }
  assert.deepEqual(tunnels([]).sort(), [
    ['any', false, false],
    ['eth0', false, false],
  ])
  assert.deepEqual(tunnels(['mirror0']).sort(), [
    ['any', true, true],
    ['eth0', false, false],
  ])
})

test('decide: a listening socket takes precedence over a declared port', () => {
  const { targets } = decided({
    pods: [onHost('exporter'), onHost('proxy', { listeners: listening(9100) })],
    known: [exporter, knownPod('proxy', { hostNetwork: true })],
  })
  assert.equal(targets[0]?.info.vantagePoint?.listeners['9100']?.identity.name, 'proxy')
})

test('decide: excludes the ports of a host-network pod that is not captured, unless a captured one serves them', () => {
  const annotations = { 'interceptor.dev/capture': 'false' }
  const { targets, pods } = decided({
    pods: [onHost('exporter', { listeners: listening(9100, 9200) }), onHost('proxy', { listeners: listening(9200) })],
    known: [{ ...exporter, annotations }, knownPod('proxy', { hostNetwork: true })],
  })
  assert.deepEqual(targets[0]?.excludePorts, [9100])
  assert.deepEqual(Object.keys(targets[0]?.info.vantagePoint?.listeners ?? {}), ['9200'])
  assert.deepEqual(pods[0]?.captures, [])
})

test('decide: does not enter the host’s namespace if the agent runs in it', () => {
  const own = { ...NO_OWN_POD(), netns: HOST.netns }
  assert.equal(decided({ pods: [onHost('a')], rules: { own } }).targets[0]?.netns, null)
})

const hostInterfaces: [title: string, pods: Pod[], configured: string[], devices: string[]][] = [
  ['configured ones, without pods', [], ['eth1', 'br0', 'eth1'], ['eth1', 'br0']],
  ['any includes the configured ones', [onHost('a')], ['eth1'], ['any']],
  ['any', [], ['any', 'eth1'], ['any']],
  ['none', [], [], []],
]

for (const [title, pods, configured, devices] of hostInterfaces) {
  test(`decide: host interfaces: ${title}`, () => {
    const { targets } = decided({ pods, rules: { hostInterfaces: configured } })
    assert.deepEqual(
      targets.map(({ device }) => device),
      devices,
    )
  })
}

test('decide: two pods in one namespace share one target', () => {
  assert.equal(decided({ pods: [procPod('a'), procPod('b')] }).targets.length, 1)
})
