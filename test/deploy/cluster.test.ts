/**
 * The chart and the manifests against a real API server, which accepts and upgrades them; `helm test` reports which
 * agents are ready.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { stringify } from 'yaml'
import { CHART } from '../../deploy/generated.ts'
import { KubeApiserver, needsKubeApiserver } from '../../rig/kube-apiserver.ts'
import { needsKubeTools, runTool, type ToolResult, toolOutput, writeAdminKubeconfig } from '../../rig/kube-tools.ts'
import { ROOT } from '../../rig/root.ts'
import { finish } from '../cli/support.ts'
import { agentPod, type KubeObject, objectsOf, render, VALUE_SETS, valueSet } from '../support/chart.ts'
import { createNamespace, createNode, requestToken } from '../support/kube-apiserver-objects.ts'
import { crdFiles, needsKubeCrds } from '../support/kube-crds.ts'

const skip = needsKubeTools() || needsKubeApiserver() || needsKubeCrds()
const TEST_SCRIPT = join(ROOT, CHART, 'files', 'agents-ready.mjs')
let cluster: KubeApiserver
let kubeconfig: string

before(async () => {
  if (skip !== false) return
  cluster = await KubeApiserver.start()
  kubeconfig = writeAdminKubeconfig(cluster)
  kubectl(['apply', '--server-side', ...crdFiles().flatMap((file) => ['-f', file])])
  kubectl(['wait', '--for=condition=Established', 'crd', '--all'])
})

after(() => cluster?.remove())

const kubectl = (args: string[], stdin = ''): string =>
  toolOutput('kubectl', ['--kubeconfig', kubeconfig, ...args], { stdin })
const helm = (...args: string[]): ToolResult => runTool('helm', [...args, '--kubeconfig', kubeconfig])

const asYaml = (objects: readonly KubeObject[]): string => objects.map((object) => stringify(object)).join('---\n')

/** Validates objects by a server-side dry run; an unknown field is an error. */
const dryRun = (objects: readonly KubeObject[]): string =>
  kubectl(['apply', '--dry-run=server', '--validate=strict', '-f', '-'], asYaml(objects))

for (const name of VALUE_SETS) {
  test(`cluster: the API server accepts what ${name} values render`, { skip }, async () => {
    await createNamespace(cluster, 'watch')
    const objects = render(...valueSet(name))
    assert.equal(dryRun(objects).match(/\(server dry run\)/g)?.length, objects.length)
  })
}

test('cluster: the API server accepts the plain manifests and the overlays', { skip }, async () => {
  await createNamespace(cluster, 'interceptor')
  const manifests = readFileSync(join(ROOT, 'deploy/manifests/interceptor.yaml'), 'utf8')
  const overlays = ['privileged', 'openshift'].map((name) =>
    toolOutput('kubectl', ['kustomize', `deploy/kustomize/overlays/${name}`]),
  )
  for (const text of [manifests, ...overlays]) {
    const objects = objectsOf(text)
    assert.equal(dryRun(objects).match(/\(server dry run\)/g)?.length, objects.length)
  }
})

/** A pod from the DaemonSet's template, as its controller would create it. */
function agentOf(objects: readonly KubeObject[], namespace: string): KubeObject {
  const { metadata, spec } = agentPod(objects)
  return { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, name: 'agent', namespace } as never, spec }
}

test('cluster: Pod Security admits the agents only where the namespace allows privileged pods', {
  skip,
}, async () => {
  const agent = (namespace: string): KubeObject => agentOf(render(...valueSet('minimal')), namespace)
  for (const level of ['privileged', 'baseline']) {
    const labels = { 'pod-security.kubernetes.io/enforce': level }
    await cluster.create('/api/v1/namespaces', { metadata: { name: level, labels } })
  }
  assert.match(dryRun([agent('privileged')]), /pod\/agent created/)
  assert.throws(() => dryRun([agent('baseline')]), /violates PodSecurity.*host namespaces/s)
})

test('cluster: the pod of helm test meets the restricted Pod Security level', { skip }, async () => {
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' }
  await cluster.create('/api/v1/namespaces', { metadata: { name: 'restricted', labels } })
  const pod = render(...valueSet('minimal')).find(({ kind }) => kind === 'Pod')!
  const metadata = { ...pod.metadata, namespace: 'restricted' }
  assert.match(dryRun([{ ...pod, metadata }]), /created \(server dry run\)/)
})

test('cluster: helm installs, restarts the pods on a changed configuration, and uninstalls every object', {
  skip,
}, () => {
  const release = ['interceptor', CHART, '-n', 'install', ...valueSet('minimal')]
  const installed = helm('install', ...release, '--create-namespace')
  assert.equal(installed.code, 0, installed.stderr)
  const template = (): string =>
    kubectl(['-n', 'install', 'get', 'ds', 'interceptor', '-o', 'jsonpath={.spec.template.metadata.annotations}'])
  const first = template()
  assert.equal(helm('upgrade', ...release).code, 0)
  assert.equal(template(), first)
  assert.equal(helm('upgrade', ...release, '--set', 'config.kafka.topic=other').code, 0)
  assert.notEqual(template(), first)
  assert.equal(helm('uninstall', 'interceptor', '-n', 'install').code, 0)
  const kinds = 'ds,cm,sa,clusterrole,clusterrolebinding,priorityclass'
  assert.equal(kubectl(['-n', 'install', 'get', kinds, '-l', 'app.kubernetes.io/name=interceptor', '-o', 'name']), '')
})

test('cluster: helm test reports whether all agents are ready, and names those that are not', { skip }, async () => {
  const namespace = 'tested'
  await createNamespace(cluster, namespace)
  const objects = render(...valueSet('minimal'), '-n', namespace, '--set', 'test.timeoutSeconds=1')
  const agent = agentOf(objects, namespace)
  const spec = { ...agent.spec, nodeName: 'n1', serviceAccountName: undefined }
  await createNode(cluster, 'n1')
  kubectl(['apply', '-f', '-'], asYaml([...objects.filter(({ kind }) => kind !== 'Pod'), { ...agent, spec }]))
  const pod = objects.find(({ kind }) => kind === 'Pod') as KubeObject & { spec: { containers: TestContainer[] } }
  const run = await testRunner(namespace, pod.spec.containers[0])

  await reportAgents(namespace, 1, 0)
  const { code, stderr } = await run()
  assert.deepEqual([code, stderr.trim()], [1, '0 of 1 agents are ready after 1 s\n  agent on n1: Pending'])
  await reportAgents(namespace, 1, 1)
  const good = await run()
  assert.deepEqual([good.code, good.stdout.trim()], [0, '1 of 1 agents are ready'], good.stderr)
})

interface TestContainer {
  env: { name: string; value: string }[]
  args: string[]
}

/** Writes the status that the DaemonSet's controller would write. */
async function reportAgents(namespace: string, wanted: number, ready: number): Promise<void> {
  await cluster.patch(`/apis/apps/v1/namespaces/${namespace}/daemonsets/interceptor/status`, {
    status: {
      desiredNumberScheduled: wanted,
      currentNumberScheduled: wanted,
      numberMisscheduled: 0,
      numberReady: ready,
      observedGeneration: 1,
    },
  })
}

/** Runs the test pod's script with its container's environment and its service account's token. */
async function testRunner(namespace: string, container: TestContainer): Promise<() => ReturnType<typeof finish>> {
  const credentials = join(cluster.folder, 'credentials')
  mkdirSync(credentials)
  writeFileSync(join(credentials, 'token'), await requestToken(cluster, namespace, 'interceptor-test'))
  writeFileSync(join(credentials, 'ca.crt'), readFileSync(cluster.caFile))
  const env = {
    ...Object.fromEntries(container.env.map(({ name, value }) => [name, value])),
    KUBERNETES_SERVICE_HOST: '127.0.0.1',
    KUBERNETES_SERVICE_PORT: String(cluster.port),
    CREDENTIALS: credentials,
  }
  assert.equal(container.args[0]?.trim(), readFileSync(TEST_SCRIPT, 'utf8').trim())
  return () => finish(spawn(process.execPath, ['--input-type=module', '--eval', container.args[0]], { env }))
}
