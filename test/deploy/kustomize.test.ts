import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { needsKubeTools, toolOutput } from '../../rig/kube-tools.ts'
import { ROOT } from '../../rig/root.ts'
import { agentPod, type KubeObject, objectsOf, only } from '../support/chart.ts'

const skip = needsKubeTools()
const build = (folder: string): KubeObject[] => objectsOf(toolOutput('kubectl', ['kustomize', folder]))

test('kustomize: the base is complete, and its pods have the configuration', { skip }, () => {
  const objects = build('deploy/kustomize/base')
  const kinds = ['Namespace', 'ServiceAccount', 'ClusterRole', 'ClusterRoleBinding', 'ConfigMap', 'DaemonSet']
  assert.deepEqual(objects.map(({ kind }) => kind).sort(), kinds.sort())
  const config = agentPod(objects).spec.volumes.find(({ name }) => name === 'config')
  assert.deepEqual(config?.['configMap'], { name: only(objects, 'ConfigMap').metadata.name })
  assert.match(only(objects, 'ConfigMap').data?.['config.yaml'] ?? '', /^targets:\n {2}procRoot: \/host\/proc/m)
})

test('kustomize: a changed configuration rolls the pods', { skip }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'kustomize-'))
  t.after(() => rmSync(folder, { recursive: true }))
  cpSync(join(ROOT, 'deploy/kustomize/base'), folder, { recursive: true })
  const before = agentPod(build(folder))
  writeFileSync(join(folder, 'config.yaml'), 'log: { level: debug }\n')
  assert.notDeepEqual(agentPod(build(folder)), before)
})

test('kustomize: the privileged overlay has brokers, an image and privileges', { skip }, () => {
  const [container] = agentPod(build('deploy/kustomize/overlays/privileged')).spec.containers
  assert.equal(container.securityContext['privileged'], true)
  assert.ok(!('capabilities' in container.securityContext))
  assert.ok(container.env.some(({ name }) => name === 'INTERCEPTOR_KAFKA_BROKERS'))
})

test('kustomize: the OpenShift overlay allows what the pods request', { skip }, () => {
  const objects = build('deploy/kustomize/overlays/openshift')
  const { spec } = agentPod(objects)
  const { securityContext } = spec.containers[0]
  const constraints = only(objects, 'SecurityContextConstraints')
  assert.deepEqual(securityContext['seLinuxOptions'], { type: 'spc_t' })
  assert.deepEqual(constraints['allowedCapabilities'], (securityContext['capabilities'] as { add: string[] }).add)
  assert.deepEqual(
    [constraints['allowHostPID'], constraints['allowHostNetwork']],
    [spec['hostPID'], spec['hostNetwork']],
  )
  assert.deepEqual(constraints['users'], ['system:serviceaccount:interceptor:interceptor'])
})
