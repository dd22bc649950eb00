import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { KubeApiserver, needsKubeApiserver } from '../../../rig/kube-apiserver.ts'
import { ApiClient } from '../../../src/discovery/kubernetes/api-client.ts'
import { RemoteWatch } from '../../../src/discovery/kubernetes/remote-watch.ts'
import { collectGarbage } from '../../support/collect-garbage.ts'
import { createNode, createPod, deletePod, setPodStatus } from '../../support/kube-apiserver-objects.ts'
import { KubeApiserverProxy } from '../../support/kube-apiserver-proxy.ts'
import { AgentFiles, inLanes, Lines, PODS_RULE, PodsUnderTest, podsOf, QUICK, until } from './rig.ts'

const PODS = 1010
const PAGE = 250
/** How many of them are replaced while the watches are interrupted, and how many end after that. */
const CHURN = 100
const ENDED = 50

suite('Kubernetes watches: more than a thousand pods in a real API server', { skip: needsKubeApiserver() }, () => {
  let cluster: KubeApiserver
  let proxy: KubeApiserverProxy
  let files: AgentFiles

  before(async () => {
    cluster = await KubeApiserver.start()
    proxy = await KubeApiserverProxy.start(cluster)
    files = await AgentFiles.create(cluster, [PODS_RULE, { ...PODS_RULE, resources: ['services'] }], proxy.url)
    await createNode(cluster, 'n1')
    await inLanes(indexes(0, PODS), (index) => make(index))
  })
  after(async () => {
    await proxy?.stop()
    await cluster?.remove()
  })

  async function make(index: number): Promise<void> {
    const workload = `service-${index % 97}`
    const hash = (index % 97).toString(16).padStart(10, '7')
    await createPod(cluster, {
      name: `pod-${index}`,
      node: 'n1',
      labels: { app: workload, 'app.kubernetes.io/part-of': 'shop', 'pod-template-hash': hash },
      owner: { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: `${workload}-${hash}` },
    })
    await setPodStatus(cluster, 'default', `pod-${index}`, {
      podIPs: [addressOf(index)],
      containers: { app: 'cri-o://a' },
    })
  }

  async function serverNames(): Promise<string[]> {
    const { items } = (await cluster.get('/api/v1/pods')) as { items: { metadata: { name: string } }[] }
    return items.map(({ metadata }) => metadata.name).sort()
  }

  test('ListWatch: lists more than a thousand pods in pages, and is correct after churn, crashes and interruptions', async (t) => {
    const pods = new PodsUnderTest(t, await files.access(), { ...podsOf('spec.nodeName=n1', PAGE), paged: true })
    await until('listed', () => pods.watch.state.connected)
    assert.equal(pods.watch.items.size, PODS)
    const pages = proxy.requests.filter(({ query }) => query.get('limit') === String(PAGE))
    assert.equal(pages.length, Math.ceil(PODS / PAGE))

    let churning = true
    const cuts = (async () => {
      for (let round = 0; churning; round += 1) {
        proxy.cutWatches((['end', 'reset'] as const)[round % 2])
        await new Promise((resolve) => setTimeout(resolve, 150))
      }
    })()
    await inLanes(indexes(0, CHURN), (index) => deletePod(cluster, 'default', `pod-${index}`))
    await inLanes(indexes(PODS, PODS + CHURN), (index) => make(index))
    churning = false
    await cuts
    await cluster.stopServer('SIGKILL')
    await cluster.startServer()
    await inLanes(indexes(CHURN, CHURN + ENDED), (index) => deletePod(cluster, 'default', `pod-${index}`))

    const expected = await serverNames()
    assert.equal(expected.length, PODS - ENDED)
    await until('caught up', () => pods.watch.items.size === expected.length, 60)
    assert.deepEqual(pods.names, expected)
    const counts = (type: string): string[] => pods.reported.filter((text) => text.startsWith(`${type} `)).sort()
    const added = counts('added')
    assert.deepEqual(added, [...indexes(0, PODS + CHURN)].map((index) => `added pod-${index}`).sort(), 'each once')
    assert.deepEqual(
      counts('removed'),
      [...indexes(0, CHURN + ENDED)].map((index) => `removed pod-${index}`).sort(),
      'each once',
    )
  })

  test('RemoteWatch: keeps less than a kilobyte for each pod', async () => {
    collectGarbage()
    const heapBefore = process.memoryUsage().heapUsed
    const client = new ApiClient(await files.access())
    const remote = new RemoteWatch({
      client,
      node: 'other',
      log: new Lines(),
      onChange: () => {},
      timing: QUICK,
    })
    try {
      await until('listed', () => remote.state.pods.connected)
      // Memory of the requests themselves is released within the next event loop iterations.
      await new Promise((resolve) => setTimeout(resolve, 200))
      collectGarbage()
      const bytes = process.memoryUsage().heapUsed - heapBefore
      assert.equal(remote.state.pods.leftOut, 0)
      const sample = [...remote.pods.values()].find(({ addresses }) => addresses.includes(addressOf(PODS)))
      assert.ok(sample !== undefined)
      assert.deepEqual(sample.identity.workload, { kind: 'Deployment', name: `service-${PODS % 97}` })
      assert.ok(bytes / (PODS - ENDED) < 1024, `${bytes / (PODS - ENDED)} bytes a pod`)
    } finally {
      await remote.close()
    }
  })
})

const addressOf = (index: number): string => `10.244.${index >> 8}.${index & 255}`

function* indexes(from: number, to: number): Generator<number> {
  for (let index = from; index < to; index += 1) yield index
}
