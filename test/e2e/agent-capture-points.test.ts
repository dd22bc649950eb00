/**
 * Pods whose plaintext passes several interfaces, or one other than the external: each exchange is emitted once, with
 * the correct pod. The interface is chosen by programs, sockets and annotations, as in a cluster. With a real API
 * server.
 */
import assert from 'node:assert/strict'
import { after, before, suite, type TestContext, test } from 'node:test'
import { cgroupMount } from '../../rig/cgroup-mount.ts'
import { needsKubeApiserver } from '../../rig/kube-apiserver.ts'
import { needs } from '../../rig/needs.ts'
import { NodeRig, type RigPod } from '../../rig/node-rig.ts'
import { AgentRig, isListening, request, type SeenPair, serveIn, uniquePath, until } from '../support/agent-rig.ts'
import { KubeRig } from '../support/kube-rig.ts'
import { TlsProxy } from '../support/tls-proxy.ts'

const skip = needs('linux', 'root', 'ip', 'cgroup', 'unshare', 'openssl') || needsKubeApiserver()
const PORT = 8080
const COUNT = 20

interface Node {
  rig: NodeRig
  client: RigPod
  make: (name: string, annotations?: Record<string, string>) => Promise<RigPod>
}

/** `pod at interface, vantage, mesh`: how often each occurs. */
function counts(pairs: readonly SeenPair[]): Record<string, number> {
  const found: Record<string, number> = {}
  for (const { server, capture } of pairs) {
    const key = `${server.pod?.name} at ${capture.interface}, ${capture.vantage}, ${capture.mesh}`
    found[key] = (found[key] ?? 0) + 1
  }
  return found
}

suite('agent: capture points', { skip, timeout: 300_000 }, () => {
  let kube: KubeRig
  before(async () => {
    kube = await KubeRig.start({ n1: ['10.244.0.0/24'] })
  })
  after(() => kube?.remove())

  async function node(t: TestContext): Promise<Node> {
    const rig = await NodeRig.createApart(t, cgroupMount('v1') === null ? 'v2' : 'v1')
    t.after(() => kube.deletePods())
    const make = (name: string, annotations = {}): Promise<RigPod> =>
      kube.pod(rig, { name, node: 'n1', annotations, spec: { containers: [{ name: 'app', image: 'app' }] } })
    const client = await make('client')
    await client.run('client')
    return { rig, client, make }
  }

  const start = (t: TestContext, rig: NodeRig): Promise<AgentRig> =>
    AgentRig.create(t, [], { settings: kube.settings('n1'), under: rig.within(false) })

  const address = ({ addresses: [first] }: RigPod): string => first

  /** Gives a pod a second interface, `net1`, that is joined to the client's. @returns the pod's address there */
  function joinSecond(pod: RigPod, client: RigPod): string {
    const [own, peer] = [pod.namespace, client.namespace]
    assert.ok(own !== null && peer !== null)
    own.ip('link', 'add', 'net1', 'type', 'veth', 'peer', 'name', 'net1', 'netns', peer.name)
    for (const [namespace, host] of [
      [own, 1],
      [peer, 2],
    ] as const) {
      namespace.ip('addr', 'add', `192.168.77.${host}/24`, 'dev', 'net1')
      namespace.ip('link', 'set', 'net1', 'up')
    }
    return '192.168.77.1'
  }

  test('agent: emits every exchange of six kinds of pods once, with the pod’s name', async (t) => {
    const { rig, client, make } = await node(t)
    const proxy = new TlsProxy(t)
    const plain = await make('plain')
    const linkerd = await make('linkerd', { 'config.linkerd.io/skip-inbound-ports': '8081' })
    const tls = await make('tls')
    const dapr = await make('dapr', { 'dapr.io/enabled': 'true', 'dapr.io/app-id': 'shop' })
    const ambient = await make('ambient', { 'ambient.istio.io/redirection': 'enabled' })
    const multus = await make('multus')

    await serveIn(plain, PORT)
    await linkerd.run('linkerd2-proxy')
    await serveIn(linkerd, 8081)
    await serveIn(tls, PORT, '127.0.0.1')
    const terminator = await tls.run('proxy', { program: proxy.program(8443, `http://127.0.0.1:${PORT}`) })
    await dapr.run('daprd')
    await serveIn(dapr, PORT)
    await serveIn(ambient, PORT)
    // As ztunnel, which is another pod’s process: only its sockets are in the pod’s network namespace.
    const toApp = `http://${address(ambient)}:${PORT}`
    const ztunnel = await rig.start('ztunnel', 'ztunnel', ambient.namespace, {
      program: proxy.program(15008, toApp, [15001, 15006]),
    })
    await serveIn(multus, PORT)
    const second = joinSecond(multus, client)
    await until('the proxies', () => isListening(terminator.pid, 8443) && isListening(ztunnel.pid, 15008))

    const agent = await start(t, rig)
    for (const pod of [plain, linkerd, tls, dapr, multus]) await agent.captures(pod.namespace!, 'eth0')
    for (const pod of [linkerd, tls, dapr, ambient]) await agent.captures(pod.namespace!, 'lo')
    await agent.captures(multus.namespace!, 'net1')

    const path = uniquePath()
    const answered = await Promise.all([
      request(client.namespace, `http://${address(plain)}:${PORT}${path}-plain`, COUNT),
      request(client.namespace, `http://${address(linkerd)}:8081${path}-linkerd`, COUNT),
      request(client.namespace, `https://${address(tls)}:8443${path}-tls`, COUNT),
      // As daprd, which received the invocation encrypted.
      request(dapr.namespace, `http://127.0.0.1:${PORT}${path}-dapr`, COUNT),
      request(client.namespace, `https://${address(ambient)}:15008${path}-ambient`, COUNT),
      request(client.namespace, `http://${second}:${PORT}${path}-multus`, COUNT),
    ])
    assert.deepEqual(
      answered.map(({ length }) => length),
      Array(6).fill(COUNT),
    )
    await until('the pairs', () => agent.pairs(path).length >= 6 * COUNT)
    assert.equal(await agent.end(), 0)
    const pairs = agent.pairs(path)
    assert.deepEqual(counts(pairs), {
      'plain at eth0, server, null': COUNT,
      'linkerd at eth0, server, null': COUNT,
      'tls at lo, server, null': COUNT,
      'dapr at lo, server, null': COUNT,
      'ambient at lo, server, istio': COUNT,
      'multus at net1, server, null': COUNT,
    })
    assert.equal(new Set(pairs.map(({ request: { target } }) => target)).size, 6 * COUNT)
    assert.equal(new Set(pairs.map(({ id }) => id)).size, 6 * COUNT)
    for (const {
      request: { target },
      server,
    } of pairs)
      assert.ok(target.includes(`-${server.pod?.name}/`), target)
  })

  test('agent: an annotation chooses the interfaces, and its change takes effect', async (t) => {
    const { rig, client, make } = await node(t)
    const pod = await make('chosen', { 'interceptor.dev/interfaces': 'net1,lo' })
    await serveIn(pod, PORT)
    const second = joinSecond(pod, client)
    const agent = await start(t, rig)
    for (const device of ['net1', 'lo']) await agent.captures(pod.namespace!, device)
    const path = uniquePath()
    const all = async (suffix: string): Promise<void> => {
      await request(client.namespace, `http://${address(pod)}:${PORT}${path}-eth0-${suffix}`, 3)
      await request(client.namespace, `http://${second}:${PORT}${path}-net1-${suffix}`, 3)
      await request(pod.namespace, `http://127.0.0.1:${PORT}${path}-lo-${suffix}`, 3)
    }
    await all('first')
    await until('the first pairs', () => agent.pairs(path).length >= 6)
    await kube.change('chosen', { annotations: { 'interceptor.dev/interfaces': 'pod' } })
    await agent.captures(pod.namespace!, 'eth0')
    for (const device of ['net1', 'lo']) await agent.logged('no longer captured', { pod: 'chosen', interface: device })
    await all('second')
    await until('the second pairs', () => agent.pairs(path).length >= 9)
    assert.equal(await agent.end(), 0)
    assert.deepEqual(counts(agent.pairs(path)), {
      'chosen at net1, server, null': 3,
      'chosen at lo, server, null': 3,
      'chosen at eth0, server, null': 3,
    })
    assert.equal(agent.pairs(`${path}-eth0-second`).length, 3)
  })

  test('agent: a rule chooses the interfaces of the pods that it selects', async (t) => {
    const { rig, client, make } = await node(t)
    const [chosen, other] = [await make('chosen'), await make('other')]
    for (const pod of [chosen, other]) await serveIn(pod, PORT)
    await kube.change('chosen', { labels: { app: 'inner' } })
    const settings = [...kube.settings('n1'), 'targets.interfaces=[{ selector: app=inner, interfaces: [lo] }]']
    const agent = await AgentRig.create(t, [], { settings, under: rig.within(false) })
    await agent.captures(chosen.namespace!, 'lo')
    await agent.captures(other.namespace!, 'eth0')
    const path = uniquePath()
    for (const pod of [chosen, other]) {
      await request(client.namespace, `http://${address(pod)}:${PORT}${path}`, 3)
      await request(pod.namespace, `http://127.0.0.1:${PORT}${path}`, 3)
    }
    await until('the pairs', () => agent.pairs(path).length >= 6)
    assert.equal(await agent.end(), 0)
    assert.deepEqual(counts(agent.pairs(path)), {
      'chosen at lo, server, null': 3,
      'other at eth0, server, null': 3,
    })
  })
})
