/**
 * The agent as deployed: the chart is installed into a real API server, and its DaemonSet's pod runs here as under a
 * kubelet, with its capabilities, service account and configuration, on a node of real pods, and ships to a real Kafka.
 */
import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, suite, type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { CHART } from '../../deploy/generated.ts'
import { cgroupMount } from '../../rig/cgroup-mount.ts'
import { KafkaBroker, needsKafka } from '../../rig/kafka.ts'
import { KubeApiserver, needsKubeApiserver } from '../../rig/kube-apiserver.ts'
import { needsKubeTools, toolOutput, writeAdminKubeconfig } from '../../rig/kube-tools.ts'
import { needs } from '../../rig/needs.ts'
import { NodeRig, POD_NETWORK, type RigPod } from '../../rig/node-rig.ts'
import { reservePorts } from '../../rig/ports.ts'
import type { Pair } from '../../src/pair/pair.ts'
import { unpackPair } from '../../src/pair/unpack.ts'
import { finish, start } from '../cli/support.ts'
import { agentEnvironment, agentPid, agentSurroundings } from '../support/agent-container.ts'
import { request, serveIn, uniquePath } from '../support/agent-rig.ts'
import type { PodSpec } from '../support/chart.ts'
import { createNode, createPod, requestToken, setPodStatus } from '../support/kube-apiserver-objects.ts'
import { readTopic } from './kafka-support.ts'

const skip =
  needs('linux', 'root', 'ip', 'cgroup', 'setpriv', 'unshare') ||
  needsKubeTools() ||
  needsKubeApiserver() ||
  needsKafka()
const NODE = 'n1'
const NAMESPACE = 'interceptor'
const TOPIC = 'deployed'
const PORT = 8080
const ADMIN_PORT = await reservePorts(1)
const PAIRS = 5
const WAIT_MS = 30_000

suite('agent: deployed by the chart', { skip }, () => {
  let cluster: KubeApiserver
  let broker: KafkaBroker
  let kubeconfig: string

  before(async () => {
    cluster = await KubeApiserver.start()
    broker = new KafkaBroker({ port: await reservePorts(3) })
    await broker.start()
    await broker.createTopic(TOPIC)
    await createNode(cluster, NODE, [POD_NETWORK, 'fd44::/64'])
    kubeconfig = writeAdminKubeconfig(cluster)
  })
  after(async () => {
    await broker?.remove()
    await cluster?.remove()
  })

  /** Installs the chart. @returns the pod that its DaemonSet would make, and its configuration */
  async function install(): Promise<{ spec: PodSpec; config: string }> {
    const values = [
      'image.repository=interceptor',
      `config.kafka.brokers={${broker.plaintext}}`,
      `config.kafka.topic=${TOPIC}`,
      `config.admin.address=127.0.0.1:${ADMIN_PORT}`,
      // Small rings, because other tests' pods are on this machine too.
      'config.capture.ringBytes=1MiB',
    ].flatMap((value) => ['--set', value])
    const release = ['install', 'interceptor', CHART, '-n', NAMESPACE, '--create-namespace']
    toolOutput('helm', [...release, '--kubeconfig', kubeconfig, ...values])
    const daemonSet = await cluster.get(`/apis/apps/v1/namespaces/${NAMESPACE}/daemonsets/interceptor`)
    const configMap = await cluster.get(`/api/v1/namespaces/${NAMESPACE}/configmaps/interceptor`)
    const { spec } = (daemonSet['spec'] as { template: { spec: PodSpec } }).template
    return { spec, config: (configMap['data'] as Record<string, string>)['config.yaml'] }
  }

  /** Runs the DaemonSet's container on this machine. */
  async function runAgent(t: TestContext, { spec, config }: { spec: PodSpec; config: string }) {
    const container = spec.containers[0]
    const token = await requestToken(cluster, NAMESPACE, 'interceptor')
    const files = { config, token, ca: readFileSync(cluster.caFile, 'utf8') }
    const env = {
      ...agentEnvironment(container, {
        'spec.nodeName': NODE,
        'metadata.name': 'interceptor-x1',
        'metadata.namespace': NAMESPACE,
        'metadata.uid': '5d1cbb0e-56a2-4bb6-a0cf-1b1e6a0c9d11',
        'status.hostIP': '192.0.2.1',
      }),
      KUBERNETES_SERVICE_HOST: '127.0.0.1',
      KUBERNETES_SERVICE_PORT: String(cluster.port),
    }
    const under = agentSurroundings(container, join(cluster.folder, 'agent'), files)
    const child = start(container.args, { under, env })
    let log = ''
    child.stderr?.on('data', (text: Buffer) => {
      log += text
    })
    t.after(async () => {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL')
        await once(child, 'exit')
      }
    })
    return { child, env, log: () => log }
  }

  async function makePod(rig: NodeRig, name: string): Promise<RigPod> {
    const uid = await createPod(cluster, { name, node: NODE })
    const pod = rig.pod({ uid })
    await setPodStatus(cluster, 'default', name, { podIPs: [...pod.addresses] })
    return pod
  }

  /**
   * `kubectl exec` of `interceptor tail`: in the mount namespace of the agent's container, with its environment.
   *
   * @returns once it is connected; `printed` is what it has printed when it has ended
   */
  async function tailInPod(agent: ChildProcess, env: Record<string, string>, path: string) {
    const under = ['nsenter', '--target', String(agent.pid), '--mount', '--']
    const child = start(['tail', '--path', `${path}/*`, '-o', 'ndjson', '-c', String(PAIRS)], { env, under })
    const [first] = (await once(child.stderr!, 'data')) as [Buffer]
    assert.match(first.toString(), /showing the pairs that the agent ships/)
    return { printed: finish(child) }
  }

  /** The response to the kubelet's probe. */
  const probe = async ({ httpGet }: { httpGet: Record<string, unknown> }): Promise<number> => {
    const response = await fetch(`http://${httpGet['host']}:${httpGet['port']}${httpGet['path']}`).catch(() => null)
    return response?.status ?? 0
  }

  async function until(what: () => string, isSo: () => Promise<boolean> | boolean): Promise<void> {
    for (const end = Date.now() + WAIT_MS; !(await isSo()); await sleep(100)) {
      if (Date.now() > end) throw new Error(`not within ${WAIT_MS / 1000} s: ${what()}`)
    }
  }

  const pairsOf = (path: string): Pair[] =>
    readTopic(broker, TOPIC)
      .map(({ value }) => unpackPair(value))
      .filter((pair): pair is Pair => !(pair instanceof Error) && pair.request.target.startsWith(path))

  test('agent: names pods in Kafka, answers probes, and exits within its grace period', async (t) => {
    const rig = NodeRig.create(t, cgroupMount('v1') === null ? 'v2' : 'v1')
    const [client, server] = [await makePod(rig, 'client-0'), await makePod(rig, 'api-0')]
    await client.run('client')
    await serveIn(server, PORT)
    const installed = await install()
    const { child, env, log } = await runAgent(t, installed)
    const container = installed.spec.containers[0]
    await until(
      () => `ready: ${log()}`,
      async () => (await probe(container.readinessProbe!)) === 200,
    )
    assert.deepEqual([await probe(container.startupProbe!), await probe(container.livenessProbe!)], [200, 200])
    await until(
      () => `captured: ${log()}`,
      () => log().includes(`${server.namespace?.inode}/eth0`) && log().includes(`${client.namespace?.inode}/eth0`),
    )
    const path = uniquePath()
    const { printed } = await tailInPod(child, env, path)
    await request(client.namespace, `http://${server.addresses[0]}:${PORT}${path}`, PAIRS)
    await until(
      () => `pairs: ${log()}`,
      () => pairsOf(path).length >= PAIRS,
    )
    assert.deepEqual(
      (await printed).stdout
        .split('\n')
        .slice(0, -1)
        .map((line) => (JSON.parse(line) as Pair).server.pod?.name),
      Array(PAIRS).fill('api-0'),
    )
    process.kill(agentPid(child.pid!), 'SIGTERM')
    const graceMs = Number(installed.spec['terminationGracePeriodSeconds']) * 1000
    const ended = await Promise.race([once(child, 'exit').then(([code]) => code as number), sleep(graceMs, 'killed')])
    assert.equal(ended, 0, log())
    const pairs = pairsOf(path)
    assert.equal(pairs.length, PAIRS)
    for (const { client, server } of pairs)
      assert.deepEqual([client.pod?.name, server.pod?.name], ['client-0', 'api-0'])
    assert.doesNotMatch(log(), /403|denied|not permitted|EACCES|EROFS|read-only/i)
  })
})
