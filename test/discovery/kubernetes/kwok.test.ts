/**
 * Full nodes whose kubelets are simulated by kwok: pods get their status, and end, as on real nodes. many-pods.test.ts
 * covers more than a thousand pods without kwok, because with it they would take most of this test's time.
 */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { KubeApiserver, needsKubeApiserver } from '../../../rig/kube-apiserver.ts'
import { Kwok, needsKwok } from '../../../rig/kwok.ts'
import { ApiClient } from '../../../src/discovery/kubernetes/api-client.ts'
import { RemoteWatch } from '../../../src/discovery/kubernetes/remote-watch.ts'
import { createNode, createPod, deletePod } from '../../support/kube-apiserver-objects.ts'
import { AgentFiles, inLanes, Lines, PODS_RULE, PodsUnderTest, podsOf, QUICK, until } from './rig.ts'

const NODES = 3
const PODS_PER_NODE = 110
/** Pods of the node under test that end, and their replacements. */
const REPLACED = 40
/** Waits for kwok. */
const SECONDS = 120

suite('PodWatch: full nodes with kubelets simulated by kwok', { skip: needsKubeApiserver() || needsKwok() }, () => {
  let cluster: KubeApiserver
  let kwok: Kwok
  let files: AgentFiles

  before(async () => {
    cluster = await KubeApiserver.start()
    files = await AgentFiles.create(cluster, [PODS_RULE, { ...PODS_RULE, resources: ['services'] }])
    for (let node = 0; node < NODES; node += 1) await createNode(cluster, `node-${node}`)
    kwok = Kwok.start(cluster, '10.128.0.0/9')
    const all = Array.from({ length: NODES * PODS_PER_NODE }, (_, index) => index)
    await inLanes(all, (index) => createPod(cluster, { name: `pod-${index}`, node: `node-${index % NODES}` }))
  })
  after(async () => {
    await kwok?.stop()
    await cluster?.remove()
  })

  test('a node watches its own pods; another node watches them as remote pods', async (t) => {
    const pods = new PodsUnderTest(t, await files.access(), podsOf('spec.nodeName=node-0'))
    const running = (): string[] =>
      [...pods.watch.items.values()].filter((pod) => pod.phase === 'Running').flatMap(({ addresses }) => addresses)
    await until(`all are running: ${kwok.output}`, () => running().length === PODS_PER_NODE, SECONDS)
    assert.equal(new Set(running()).size, PODS_PER_NODE)
    const own = Array.from({ length: PODS_PER_NODE }, (_, index) => `pod-${index * NODES}`)
    assert.deepEqual(pods.names, own.sort())

    const client = new ApiClient(await files.access())
    const log = new Lines()
    const remote = new RemoteWatch({ client, node: 'another', log, onChange: () => {}, timing: QUICK })
    t.after(() => remote.close())
    const known = (): Set<string> => new Set([...remote.pods.values()].flatMap(({ addresses }) => addresses))
    await until('the others are known', () => running().every((address) => known().has(address)), SECONDS)

    // Like a kubelet, kwok deletes a pod some time after the request.
    const gone = own.slice(0, REPLACED)
    await inLanes(gone, (name) => deletePod(cluster, 'default', name))
    const come = Array.from({ length: REPLACED }, (_, index) => `new-${index}`)
    await inLanes(come, (name) => createPod(cluster, { name, node: 'node-0' }))
    await until('replaced', () => !gone.some((name) => pods.names.includes(name)), SECONDS)
    await until('running again', () => running().length === PODS_PER_NODE, SECONDS)
    assert.deepEqual(pods.names, [...own.slice(REPLACED), ...come].sort())
    const reported = (type: string): string[] => pods.reported.filter((text) => text.startsWith(`${type} `)).sort()
    assert.deepEqual(reported('added'), [...own, ...come].map((name) => `added ${name}`).sort(), 'each once')
    assert.deepEqual(reported('removed'), gone.map((name) => `removed ${name}`).sort(), 'each once')
  })
})
