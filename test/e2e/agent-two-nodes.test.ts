/**
 * Two nodes with an agent each, a real API server that names pods, and a real Kafka to which both agents ship: the
 * topic contains every exchange between pods of the two nodes once.
 */
import assert from 'node:assert/strict'
import { after, before, suite, type TestContext, test } from 'node:test'
import { cgroupMount } from '../../rig/cgroup-mount.ts'
import { KafkaBroker, needsKafka } from '../../rig/kafka.ts'
import { needsKubeApiserver } from '../../rig/kube-apiserver.ts'
import { needs } from '../../rig/needs.ts'
import { NodeRig, type RigPod } from '../../rig/node-rig.ts'
import { reservePorts } from '../../rig/ports.ts'
import { run } from '../cli/support.ts'
import { AgentRig, request, type SeenPair, serveIn, uniquePath } from '../support/agent-rig.ts'
import { KubeRig } from '../support/kube-rig.ts'

const skip = needs('linux', 'root', 'ip', 'iptables', 'cgroup', 'unshare') || needsKubeApiserver() || needsKafka()
const PORT = 8080
const SERVICE = '10.96.0.10'

interface Nodes {
  /** By name, `a…` on the first node and `b…` on the second. Each serves at PORT. */
  pods: Record<'a0' | 'a1' | 'b0', RigPod>
  agents: AgentRig[]
}

suite('agent: two nodes', { skip, timeout: 360_000 }, () => {
  let kube: KubeRig
  let broker: KafkaBroker
  before(async () => {
    broker = new KafkaBroker({ port: await reservePorts(3) })
    const started = broker.start()
    kube = await KubeRig.start({ n1: ['10.244.0.0/24'], n2: ['10.244.1.0/24'] })
    const service = { clusterIP: SERVICE, selector: { app: 'b0' }, ports: [{ port: 80, targetPort: PORT }] }
    await kube.cluster.create('/api/v1/namespaces/default/services', { metadata: { name: 'shop' }, spec: service })
    await started
  })
  after(async () => {
    await broker?.remove()
    await kube?.remove()
  })

  async function nodes(t: TestContext, topic: string, settings: readonly string[] = []): Promise<Nodes> {
    const version = cgroupMount('v1') === null ? 'v2' : 'v1'
    t.after(() => kube.deletePods())
    const [first, second] = [await NodeRig.createApart(t, version, 0), await NodeRig.createApart(t, version, 1)]
    first.joinNetwork('nodes', '192.168.77.1/24', second.network, '192.168.77.2/24')
    first.network.ip('route', 'add', '10.244.1.0/24', 'via', '192.168.77.2')
    second.network.ip('route', 'add', '10.244.0.0/24', 'via', '192.168.77.1')
    const a0 = await kube.pod(first, { name: 'a0', node: 'n1' })
    const a1 = await kube.pod(first, { name: 'a1', node: 'n1' })
    const b0 = await kube.pod(second, { name: 'b0', node: 'n2' })
    for (const pod of [a0, a1, b0]) await serveIn(pod, PORT)
    for (const rig of [first, second]) rig.service(SERVICE, 80, b0.addresses[0], PORT)
    const shipping = ['ship.sink=kafka', `kafka.brokers=${broker.plaintext}`, `kafka.topic=${topic}`]
    const start = (node: string, rig: NodeRig, own: RigPod[]): Promise<AgentRig> =>
      AgentRig.create(
        t,
        own.map(({ namespace }) => namespace!),
        {
          settings: [...kube.settings(node), ...shipping, 'kafka.createTopic=true', ...settings],
          under: rig.within(false),
        },
      )
    const agents = [await start('n1', first, [a0, a1]), await start('n2', second, [b0])]
    return { pods: { a0, a1, b0 }, agents }
  }

  /** Ends the agents, which then have shipped everything, and reads the topic. */
  async function shipped(topic: string, { agents }: Nodes): Promise<SeenPair[]> {
    for (const agent of agents) assert.equal(await agent.end(), 0, agent.log)
    const where = ['--brokers', broker.plaintext, '--topic', topic]
    const { code, stdout, stderr } = await run(['tail', ...where, '--from', 'beginning', '--no-follow', '-o', 'ndjson'])
    assert.equal(code, 0, stderr)
    return stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as SeenPair)
  }

  /** Requests in all directions: to a pod of the other node and back, within a node, and to the Service from both. */
  async function traffic({ pods: { a0, a1, b0 } }: Nodes, path: string): Promise<void> {
    const ways: [from: RigPod, to: string][] = [
      [a0, `${b0.addresses[0]}:${PORT}`],
      [b0, `${a1.addresses[0]}:${PORT}`],
      [a0, `${a1.addresses[0]}:${PORT}`],
      [a1, SERVICE],
    ]
    const answered = await Promise.all(ways.map(([from, to]) => request(from.namespace, `http://${to}${path}`, 10)))
    assert.deepEqual(
      answered.map(({ length }) => length),
      [10, 10, 10, 10],
    )
  }

  const count = (pairs: readonly SeenPair[]): Record<string, number> => {
    const counts: Record<string, number> = {}
    for (const { client, server, capture } of pairs) {
      const seen = `${client.pod?.name} → ${server.pod?.name}, ${capture.vantage} on ${capture.node}`
      counts[seen] = (counts[seen] ?? 0) + 1
    }
    return counts
  }

  test('agent: emits each exchange once, at the server’s node, and names the pods of its own node', async (t) => {
    const all = await nodes(t, 'own-names')
    const path = uniquePath()
    await traffic(all, path)
    const pairs = await shipped('own-names', all)
    assert.deepEqual(count(pairs), {
      'undefined → b0, server on n2': 20,
      'undefined → a1, server on n1': 10,
      'a0 → a1, server on n1': 10,
    })
    assert.equal(new Set(pairs.map(({ id }) => id)).size, 40)
  })

  test('agent: with `remoteNames` names both endpoints, also pods of the other node', async (t) => {
    const all = await nodes(t, 'all-names', ['kubernetes.remoteNames=true'])
    const path = uniquePath()
    await traffic(all, path)
    const pairs = await shipped('all-names', all)
    assert.deepEqual(count(pairs), {
      'a0 → b0, server on n2': 10,
      'a1 → b0, server on n2': 10,
      'b0 → a1, server on n1': 10,
      'a0 → a1, server on n1': 10,
    })
  })

  test('agent: with `targets.keep: both`, both nodes’ pairs of an exchange have the same id', async (t) => {
    const all = await nodes(t, 'both', ['targets.keep=both', 'kubernetes.remoteNames=true'])
    const path = uniquePath()
    await traffic(all, path)
    const pairs = await shipped('both', all)
    assert.deepEqual(count(pairs), {
      'a0 → b0, client on n1': 10,
      'a0 → b0, server on n2': 10,
      'a1 → shop, client on n1': 10,
      'a1 → b0, server on n2': 10,
      'b0 → a1, client on n2': 10,
      'b0 → a1, server on n1': 10,
      'a0 → a1, client on n1': 10,
      'a0 → a1, server on n1': 10,
    })
    assert.equal(new Set(pairs.map(({ id }) => id)).size, 40)
  })
})
