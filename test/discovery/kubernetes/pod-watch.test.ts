import assert from 'node:assert/strict'
import { after, before, suite, type TestContext, test } from 'node:test'
import { KubeApiserver, needsKubeApiserver } from '../../../rig/kube-apiserver.ts'
import { AddressDirectory } from '../../../src/discovery/addresses/directory.ts'
import { applyRemoteChange } from '../../../src/discovery/addresses/sources.ts'
import { PodWatch, type PodWatchOptions, type RemoteChange } from '../../../src/discovery/kubernetes/pod-watch.ts'
import type { AddressEntry } from '../../../src/pair/endpoint-pod.ts'
import {
  createNode,
  createPod,
  deletePod,
  grant,
  type PolicyRule,
  setPodStatus,
} from '../../support/kube-apiserver-objects.ts'
import { KubeApiserverProxy } from '../../support/kube-apiserver-proxy.ts'
import { ACCOUNT, AgentFiles, Lines, PODS_RULE, QUICK, until } from './rig.ts'

const rule = (group: string, resource: string, ...verbs: string[]): PolicyRule => ({
  apiGroups: [group],
  resources: [resource],
  verbs,
})
const OWNER_RULES = [rule('apps', 'replicasets', 'get'), rule('batch', 'jobs', 'get')]
const NETWORK_RULES = [rule('', 'nodes', 'list'), rule('networking.k8s.io', 'servicecidrs', 'list')]
const SERVICES_RULE = rule('', 'services', 'list', 'watch')

suite('PodWatch: a node of a real API server', { skip: needsKubeApiserver() }, () => {
  let cluster: KubeApiserver
  let proxy: KubeApiserverProxy
  let files: AgentFiles

  before(async () => {
    cluster = await KubeApiserver.start()
    proxy = await KubeApiserverProxy.start(cluster)
    files = await AgentFiles.create(cluster, [PODS_RULE], proxy.url)
    await createNode(cluster, 'n1', ['10.244.0.0/24', 'fd44::/64'], '192.0.2.1')
    await createNode(cluster, 'n2', ['10.244.1.0/24', 'fd44:0:0:1::/64'], '192.0.2.2')
  })
  after(async () => {
    await proxy?.stop()
    await cluster?.remove()
  })

  const allow = (...rules: PolicyRule[]): Promise<void> => grant(cluster, ACCOUNT.namespace, ACCOUNT.name, rules)

  /** Closed when the test ends. */
  async function open(t: TestContext, options: Partial<PodWatchOptions> = {}) {
    const reported: string[] = []
    const log = new Lines()
    const watch = new PodWatch({
      access: await files.access(),
      node: 'n1',
      remoteNames: false,
      clusterNetworks: ['10.0.0.0/8'],
      log,
      onChange: ({ type, now, before }) => reported.push(`${type} ${(now ?? before)?.name}`),
      timing: QUICK,
      ...options,
    })
    t.after(() => watch.close())
    const workloadOf = (name: string): string => {
      const pod = [...watch.pods.values()].find((known) => known.name === name)
      return pod?.workload ? `${pod.workload.kind}/${pod.workload.name}` : 'none'
    }
    return { watch, log, reported, workloadOf }
  }

  const METADATA = { selector: { matchLabels: { app: 'x' } } }
  const TEMPLATE = { metadata: { labels: { app: 'x' } }, spec: { containers: [{ name: 'app', image: 'app' }] } }
  const ownedBy = (apiVersion: string, kind: string, name: string) => [
    { apiVersion, kind, name, uid: `uid-of-${name}`, controller: true },
  ]

  test('PodWatch: derives workloads from names, and fetches an owner once if that is not possible', async (t) => {
    await allow(PODS_RULE, ...OWNER_RULES)
    await cluster.create('/apis/apps/v1/namespaces/default/replicasets', {
      metadata: { name: 'renamed', ownerReferences: ownedBy('apps/v1', 'Deployment', 'web') },
      spec: { ...METADATA, template: TEMPLATE, replicas: 0 },
    })
    await cluster.create('/apis/batch/v1/namespaces/default/jobs', {
      metadata: { name: 'by-hand', ownerReferences: ownedBy('batch/v1', 'CronJob', 'backup') },
      spec: { template: { spec: { ...TEMPLATE.spec, restartPolicy: 'Never' } } },
    })
    await cluster.create('/apis/batch/v1/namespaces/default/jobs', {
      metadata: { name: 'migrate' },
      spec: { template: { spec: { ...TEMPLATE.spec, restartPolicy: 'Never' } } },
    })
    const own = (name: string, apiVersion: string, kind: string, owner: string, labels = {}): Promise<string> =>
      createPod(cluster, { name, node: 'n1', labels, owner: { apiVersion, kind, name: owner } })
    await own('ruled', 'apps/v1', 'ReplicaSet', 'shop-5d4f', { 'pod-template-hash': '5d4f' })
    await own('asked-0', 'apps/v1', 'ReplicaSet', 'renamed')
    await own('asked-1', 'apps/v1', 'ReplicaSet', 'renamed')
    await own('manual', 'batch/v1', 'Job', 'by-hand')
    await own('plain', 'batch/v1', 'Job', 'migrate')
    await own('orphan', 'batch/v1', 'Job', 'gone')
    const minute = Math.floor(Date.now() / 60_000)
    await own('cron', 'batch/v1', 'Job', `backup-${minute}`)

    const asked = (): string[] => proxy.requests.map(({ path }) => path).filter((path) => path.includes('/apis/'))
    const { watch, reported, workloadOf } = await open(t)
    await until('answered', () => workloadOf('manual') === 'CronJob/backup' && asked().length === 4)
    assert.equal(workloadOf('ruled'), 'Deployment/shop')
    assert.equal(workloadOf('asked-0'), 'Deployment/web')
    assert.equal(workloadOf('asked-1'), 'Deployment/web')
    assert.equal(workloadOf('plain'), 'Job/migrate')
    assert.equal(workloadOf('orphan'), 'Job/gone')
    assert.equal(workloadOf('cron'), 'CronJob/backup')
    assert.deepEqual(reported.filter((text) => text.startsWith('changed')).sort(), [
      'changed asked-0',
      'changed asked-1',
      'changed manual',
    ])
    const lone = [...watch.pods.values()].find(({ name }) => name === 'manual')!
    await deletePod(cluster, 'default', 'manual')
    await until('gone', () => !watch.pods.has(lone.uid))
    assert.equal(asked().length, 4, 'each owner once')
  })

  test('PodWatch: without permission to get owners, the direct owner is the workload, logged once', async (t) => {
    await allow(PODS_RULE)
    const { log, workloadOf } = await open(t)
    await until('refused', () => log.lines.length === 2)
    assert.equal(workloadOf('asked-0'), 'ReplicaSet/renamed')
    assert.match(
      log.lines.join('\n'),
      /does not allow system:serviceaccount:ops:agent to get replicasets \(403\); the workload/,
    )
    assert.match(log.lines.join('\n'), /get jobs \(403\)/)
  })

  test('PodWatch: warns if the node has no pods', async (t) => {
    await allow(PODS_RULE)
    const { watch, log } = await open(t, { node: 'misnamed' })
    await until('listed', () => watch.state.synced)
    assert.deepEqual(log.lines, [
      'the API server lists no pods for node misnamed | node.name must be the name of the Node object; in a DaemonSet, ' +
        'set NODE_NAME from spec.nodeName.',
    ])
  })

  test('PodWatch: the cluster’s networks come from nodes and Services, or from the configuration', async (t) => {
    await allow(PODS_RULE, ...NETWORK_RULES)
    let changes = 0
    const { watch } = await open(t, { clusterNetworks: [], onNetworksChange: () => (changes += 1) })
    await until('known', () => watch.clusterNetworks().length > 0)
    assert.deepEqual(watch.clusterNetworks(), [
      '10.96.0.0/16',
      '10.244.0.0/23',
      '192.0.2.1/32',
      '192.0.2.2/32',
      'fd44::/63',
    ])
    assert.equal(changes, 1)
    const from = proxy.requests.length
    const { watch: configured } = await open(t)
    await until('listed', () => configured.state.connected)
    assert.deepEqual(configured.clusterNetworks(), ['10.0.0.0/8'])
    assert.equal(proxy.requests.slice(from).filter(({ path }) => path.endsWith('/nodes')).length, 0)
  })

  test('PodWatch: reports networks that it is not permitted to list, with the missing rule', async (t) => {
    await allow(PODS_RULE, ...OWNER_RULES, NETWORK_RULES[0])
    const { watch, log } = await open(t, { clusterNetworks: [] })
    await until('refused', () => log.lines.length > 0)
    await until('known', () => watch.clusterNetworks().length > 0)
    assert.equal(watch.clusterNetworks().includes('10.96.0.0/16'), false)
    assert.deepEqual(log.lines, [
      'the API server does not allow system:serviceaccount:ops:agent to list servicecidrs (403) | Add this rule to its ' +
        'ClusterRole: apiGroups: ["networking.k8s.io"], resources: ["servicecidrs"], verbs: ["list"]. Or set ' +
        'targets.clusterNetworks, so that this request is not needed.',
    ])
  })

  test('PodWatch: remote pods and Services hold their addresses in the directory; the latest holder wins', async (t) => {
    await allow(PODS_RULE, SERVICES_RULE)
    const far = async (name: string, address: string, options = {}): Promise<void> => {
      await createPod(cluster, { name, node: 'n2', labels: { app: 'far' }, ...options })
      await setPodStatus(cluster, 'default', name, { podIPs: [address] })
    }
    await far('far-0', '10.244.1.7')
    await far('far-host', '192.0.2.2', { hostNetwork: true })
    await createPod(cluster, { name: 'near-0', node: 'n1' })
    await setPodStatus(cluster, 'default', 'near-0', { podIPs: ['10.244.0.7'] })
    await cluster.create('/api/v1/namespaces/default/services', {
      metadata: { name: 'shop' },
      spec: { clusterIP: '10.96.7.7', ports: [{ port: 80 }] },
    })
    await cluster.create('/api/v1/namespaces/default/services', {
      metadata: { name: 'headless' },
      spec: { clusterIP: 'None', ports: [{ port: 80 }] },
    })
    const changes: RemoteChange[] = []
    const holders = new Map<string, AddressEntry>()
    const directory = new AddressDirectory()
    const onRemoteChange = (change: RemoteChange): void => {
      changes.push(change)
      const nowMicros = Date.now() * 1000
      applyRemoteChange(directory, change, nowMicros)
      for (const entry of directory.drainChanges(nowMicros)) holders.set(entry.address, entry)
    }
    const { watch } = await open(t, { remoteNames: true, onRemoteChange })
    const nameAt = (address: string): string => {
      const holder = holders.get(address)?.holders.at(-1)
      if (holder === undefined || holder.toMicros !== null) return 'none'
      const { name, workload } = holder.pod.identity
      return workload?.kind === 'Service' ? `service ${name}` : String(name)
    }
    await until('listed', () => watch.remote!.state.pods.connected && watch.remote!.state.services.connected)
    assert.deepEqual(['10.244.1.7', '192.0.2.2', '10.244.0.7', '10.96.7.7'].map(nameAt), [
      'far-0',
      'none',
      'none',
      'service shop',
    ])
    await far('far-1', '10.244.1.7')
    await until('reassigned', () => nameAt('10.244.1.7') === 'far-1')
    await deletePod(cluster, 'default', 'far-0')
    await until('far-0 gone', () => changes.some(({ type }) => type === 'removed'))
    assert.equal(nameAt('10.244.1.7'), 'far-1')
    await setPodStatus(cluster, 'default', 'far-1', { podIPs: ['10.244.1.7'], phase: 'Succeeded' })
    await until('ended', () => nameAt('10.244.1.7') === 'none')
  })
})
