/** The agent with a real API server: names, annotations, and an API server that is unreachable. */
import assert from 'node:assert/strict'
import { after, before, suite, type TestContext, test } from 'node:test'
import { cgroupMount } from '../../rig/cgroup-mount.ts'
import { KubeApiserver, needsKubeApiserver } from '../../rig/kube-apiserver.ts'
import { needs } from '../../rig/needs.ts'
import { NodeRig, POD_NETWORK, type RigPod } from '../../rig/node-rig.ts'
import { run } from '../cli/support.ts'
import { AgentFiles, PODS_RULE } from '../discovery/kubernetes/rig.ts'
import { AgentRig, request, type SeenPair, serveIn, uniquePath, until } from '../support/agent-rig.ts'
import { createNode, createPod, deletePod, type PodSpec, setPodStatus } from '../support/kube-apiserver-objects.ts'

const skip = needs('linux', 'root', 'ip', 'cgroup') || needsKubeApiserver()
const PORT = 8080
const NODE = 'n1'

suite('agent: a node of a real API server', { skip, timeout: 360_000 }, () => {
  let cluster: KubeApiserver
  let files: AgentFiles

  before(async () => {
    cluster = await KubeApiserver.start()
    const networks = [
      { apiGroups: [''], resources: ['nodes'], verbs: ['list'] },
      { apiGroups: ['networking.k8s.io'], resources: ['servicecidrs'], verbs: ['list'] },
      { apiGroups: [''], resources: ['services'], verbs: ['list', 'watch'] },
    ]
    files = await AgentFiles.create(cluster, [PODS_RULE, ...networks])
    await createNode(cluster, NODE, [POD_NETWORK, 'fd44::/64'])
    await createNode(cluster, 'n2', ['10.244.1.0/24'])
  })
  after(() => cluster?.remove())

  const settings = (node = NODE) => [
    'kubernetes.enabled=true',
    `kubernetes.kubeconfig=${files.kubeconfig}`,
    `node.name=${node}`,
  ]

  test('doctor: checks the permission to list pods', async () => {
    const look = async (kubeconfig: string) => {
      const { stdout } = await run([
        'doctor',
        ...settings().flatMap((set) => ['--set', set]),
        '--set',
        `kubernetes.kubeconfig=${kubeconfig}`,
      ])
      return stdout.split('\n').find((line) => line.includes('Kubernetes API')) ?? ''
    }
    assert.match(await look(files.kubeconfig), /^✓ .* lists the pods of n1$/)
    const nobody = await AgentFiles.create(cluster, [], cluster.url, 'nobody')
    assert.match(await look(nobody.kubeconfig), /^✗ .*list.*pods.* → /)
  })

  /** A pod in the API and on the node, with its status. */
  async function makePod(rig: NodeRig, name: string, parts: Partial<PodSpec> = {}, host?: number): Promise<RigPod> {
    const uid = await createPod(cluster, { name, node: NODE, ...parts })
    const pod = rig.pod({ uid, hostNetwork: parts.hostNetwork === true, ...(host === undefined ? {} : { host }) })
    await setPodStatus(cluster, 'default', name, { podIPs: [...pod.addresses] })
    return pod
  }

  /** A node whose pods are deleted from the API when the test ends. */
  function makeNode(t: TestContext): NodeRig {
    t.after(async () => {
      for (const { name } of await podsOf()) await deletePod(cluster, 'default', name)
    })
    return NodeRig.create(t, cgroupMount('v1') === null ? 'v2' : 'v1')
  }

  async function podsOf(): Promise<{ name: string }[]> {
    const { items } = (await cluster.get('/api/v1/namespaces/default/pods')) as {
      items: { metadata: { name: string } }[]
    }
    return items.map(({ metadata }) => metadata)
  }

  const names = (pairs: readonly SeenPair[]): string[] =>
    [...new Set(pairs.map(({ client, server }) => `${client.pod?.name} ${server.pod?.name}`))].sort()

  test('agent: names both endpoints of a pair, with workload, labels and container; keeps each exchange once', async (t) => {
    const rig = makeNode(t)
    const owner = { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'api' }
    const ports = {
      spec: {
        containers: [
          { name: 'web', image: 'x', ports: [{ containerPort: PORT }] },
          { name: 'log', image: 'x' },
        ],
      },
    }
    const client = await makePod(rig, 'client-0')
    const server = await makePod(rig, 'api-0', { labels: { app: 'api' }, owner, ...ports })
    await client.run('client')
    await serveIn(server, PORT)
    const agent = await AgentRig.create(t, [client.namespace!, server.namespace!], { settings: settings() })
    const path = uniquePath()
    for (const address of server.addresses) {
      const host = address.includes(':') ? `[${address}]` : address
      await request(client.namespace, `http://${host}:${PORT}${path}`, 3)
    }
    await until('the pairs', () => agent.pairs(path).length >= 3)
    assert.equal(await agent.end(), 0)
    const pairs = agent.pairs(path)
    assert.deepEqual(names(pairs), ['client-0 api-0'])
    assert.equal(new Set(pairs.map(({ id }) => id)).size, pairs.length)
    assert.deepEqual(pairs[0]?.server.pod, {
      name: 'api-0',
      namespace: 'default',
      uid: server.uid,
      workload: { kind: 'StatefulSet', name: 'api' },
      container: 'web',
      labels: { app: 'api' },
    })
    assert.equal(pairs[0]?.client.pod?.name, 'client-0')
    assert.equal(pairs[0]?.capture.vantage, 'server')
  })

  test('agent: an annotation excludes or includes a pod, also while it runs', async (t) => {
    const rig = makeNode(t)
    const annotations = (value: string) => ({ annotations: { 'interceptor.dev/capture': value } })
    const [never, first] = [
      await makePod(rig, 'never', annotations('false')),
      await makePod(rig, 'first', annotations('true')),
    ]
    for (const pod of [never, first]) await serveIn(pod, PORT)
    const agent = await AgentRig.create(t, [first.namespace!], {
      settings: [...settings(), 'targets.namespaces.exclude=def*'],
    })
    const path = uniquePath()
    await request(never.namespace, `http://${first.addresses[0]}:${PORT}${path}`, 2)
    await request(first.namespace, `http://${never.addresses[0]}:${PORT}${path}-never`, 2)
    await until('the pairs', () => agent.pairs(path).length >= 2)
    await cluster.patch('/api/v1/namespaces/default/pods/first', { metadata: annotations('false') })
    await agent.logged('no longer captured', { pod: 'first' })
    assert.equal(await agent.end(), 0)
    assert.ok(!agent.records.some(({ msg, pod }) => msg === 'captured' && pod === 'never'))
  })

  test('agent: captures pods without the API server, and names them once it is reachable', async (t) => {
    const rig = makeNode(t)
    const client = await makePod(rig, 'client-0')
    const server = await makePod(rig, 'api-0')
    await client.run('client')
    await serveIn(server, PORT)
    await cluster.stopServer()
    const agent = await AgentRig.create(t, [client.namespace!, server.namespace!], { settings: settings() })
    const path = uniquePath()
    await request(client.namespace, `http://${server.addresses[0]}:${PORT}${path}-away`, 3)
    await cluster.startServer()
    await until('names', () => agent.log.includes('pods are watched again'))
    for (let tries = 0; tries < 50 && !names(agent.pairs(`${path}-back`)).includes('client-0 api-0'); tries += 1) {
      await request(client.namespace, `http://${server.addresses[0]}:${PORT}${path}-back`, 1, { pauseMs: 100 })
    }
    assert.equal(await agent.end(), 0)
    assert.deepEqual(names(agent.pairs(`${path}-away`)), ['null null'])
    assert.ok(names(agent.pairs(`${path}-back`)).includes('client-0 api-0'))
  })

  test('agent: names the pod that had an address at the time of the exchange', async (t) => {
    const rig = makeNode(t)
    const client = await makePod(rig, 'client-0')
    await client.run('client')
    const first = await makePod(rig, 'first', {}, 99)
    const { pid } = await serveIn(first, PORT)
    const agent = await AgentRig.create(t, [client.namespace!, first.namespace!], { settings: settings() })
    const path = uniquePath()
    const url = `http://${first.addresses[0]}:${PORT}${path}`
    await request(client.namespace, `${url}-first`, 3)
    process.kill(pid, 'SIGKILL')
    await agent.logged('no longer captured', { pod: 'first' })
    first.namespace!.ip('link', 'del', 'eth0')
    const second = await makePod(rig, 'second', {}, 99)
    await serveIn(second, PORT)
    await agent.captures(second.namespace!)
    // Whose link-layer address is another one.
    client.namespace!.ip('neigh', 'flush', 'all')
    await request(client.namespace, `${url}-second`, 3)
    await until('the pairs', () => agent.pairs(`${path}-second`).length >= 3)
    assert.equal(await agent.end(), 0)
    assert.deepEqual(names(agent.pairs(`${path}-first`)), ['client-0 first'])
    assert.deepEqual(names(agent.pairs(`${path}-second`)), ['client-0 second'])
  })

  test('agent: names a server with the host’s network by the port that it listens on', async (t) => {
    const rig = makeNode(t)
    const address = rig.joinHost()
    const client = await makePod(rig, 'client-0')
    const server = await makePod(rig, 'on-host', { hostNetwork: true })
    const port = 20_000 + (process.pid % 10_000)
    await client.run('client')
    await serveIn(server, port)
    const agent = await AgentRig.create(t, [client.namespace!], { settings: settings() })
    await agent.logged('captured', { interface: 'any' })
    const path = uniquePath()
    await request(client.namespace, `http://${address}:${port}${path}`, 3)
    await until('the pairs', () => agent.pairs(path).length >= 3)
    assert.equal(await agent.end(), 0)
    assert.deepEqual(names(agent.pairs(path)), ['client-0 on-host'])
    assert.equal(agent.pairs(path).length, 3)
  })

  test('agent: between two nodes, the server’s agent emits one pair, with the name of the remote endpoint', async (t) => {
    const rig = makeNode(t)
    const here = await makePod(rig, 'client-0')
    const there = await makePod(rig, 'api-0', { node: 'n2' })
    await here.run('client')
    await serveIn(there, PORT)
    // An agent knows only its own node's pods, and with a rule about namespaces it captures no others.
    const ofNode = (node: string) => [...settings(node), 'targets.namespaces.include=*', 'kubernetes.remoteNames=true']
    const first = await AgentRig.create(t, [here.namespace!], { settings: ofNode(NODE) })
    const second = await AgentRig.create(t, [there.namespace!], { settings: ofNode('n2') })
    const path = uniquePath()
    const url = `http://${there.addresses[0]}:${PORT}${path}`
    // Capture does not wait for remote names: they are known once the API server has listed all other pods.
    for (let tries = 0; tries < 300 && !names(second.pairs(`${path}-early`)).includes('client-0 api-0'); tries += 1) {
      await request(here.namespace, `${url}-early`, 1, { pauseMs: 50 })
    }
    await request(here.namespace, `${url}-named`, 5)
    await until('the pairs', () => second.pairs(`${path}-named`).length >= 5)
    assert.deepEqual([await first.end(), await second.end()], [0, 0])
    assert.deepEqual([first.pairs(path).length, second.pairs(`${path}-named`).length], [0, 5])
    assert.deepEqual(names(second.pairs(`${path}-named`)), ['client-0 api-0'])
  })

  test('interceptor pods: lists names, and pods without a visible process', async (t) => {
    const rig = makeNode(t)
    await (await makePod(rig, 'shop-0')).run('shop')
    await makePod(rig, 'away-0')
    const flags = settings().flatMap((setting) => ['--set', setting])
    const { code, stdout, stderr } = await run(['pods', ...flags])
    assert.equal(code, 0, stderr)
    assert.match(stdout, /^shop-0 +default +shop +\d+ .* eth0 +no mesh; its default route$/m)
    assert.match(stdout, /^away-0 +default +app +- .* Running: no process found$/m)
  })

  test('interceptor pods: reports an unreachable API server, and lists the pods of /proc', async (t) => {
    const rig = makeNode(t)
    const pod = await makePod(rig, 'shop-0')
    await pod.run('shop', { env: { HOSTNAME: 'hint-0' } })
    await cluster.stopServer()
    const flags = settings().flatMap((setting) => ['--set', setting])
    const { code, stdout, stderr } = await run(['pods', ...flags])
    await cluster.startServer()
    assert.equal(code, 0, stderr)
    assert.match(stdout, /^~hint-0 /m)
    assert.match(stderr, /^pods have no names, .*: .*ECONNREFUSED/m)
  })
})
