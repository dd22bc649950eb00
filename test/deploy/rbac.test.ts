/** The chart's RBAC rules against a real API server: they are sufficient, and each is necessary. */
import assert from 'node:assert/strict'
import { after, before, type TestContext, test } from 'node:test'
import { KubeApiserver, needsKubeApiserver } from '../../rig/kube-apiserver.ts'
import { needsKubeTools } from '../../rig/kube-tools.ts'
import { PodWatch } from '../../src/discovery/kubernetes/pod-watch.ts'
import { AgentFiles, Lines, QUICK, until } from '../discovery/kubernetes/rig.ts'
import { only, render, valueSet } from '../support/chart.ts'
import { createNode, createPod, grant, type PolicyRule } from '../support/kube-apiserver-objects.ts'

const skip = needsKubeTools() || needsKubeApiserver()
const REMOTE_NAMES = ['--set', 'config.kubernetes.remoteNames=true']
const AGENT = { namespace: 'ops', name: 'agent' }
let cluster: KubeApiserver
let files: AgentFiles

before(async () => {
  if (skip !== false) return
  cluster = await KubeApiserver.start()
  files = await AgentFiles.create(cluster, [])
  await createNode(cluster, 'n1', ['10.244.0.0/24'], '192.0.2.1')
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'unusual' }
  await createPod(cluster, { name: 'web-0', node: 'n1', owner })
  await createPod(cluster, { name: 'job-0', node: 'n1', owner: { apiVersion: 'batch/v1', kind: 'Job', name: 'once' } })
  await createPod(cluster, { name: 'far-0', node: 'n2' })
})

after(() => cluster?.remove())

const rulesOf = (...flags: string[]): PolicyRule[] =>
  only(render(...valueSet('minimal'), ...flags), 'ClusterRole').rules!

/** Watches with exactly these rules. @returns the log lines, once every request was made */
async function watchWith(
  t: TestContext,
  rules: PolicyRule[],
  remoteNames: boolean,
): Promise<PodWatch & { logged: string[] }> {
  await grant(cluster, AGENT.namespace, AGENT.name, rules)
  const log = new Lines()
  const access = await files.access()
  const options = { access, node: 'n1', remoteNames, clusterNetworks: [], log, onChange: () => {}, timing: QUICK }
  const watch = new PodWatch(options)
  t.after(() => watch.close())
  return Object.assign(watch, { logged: log.lines })
}

test('rbac: with the chart’s rules pods are named, and no request is denied', { skip }, async (t) => {
  for (const [flags, remoteNames] of [
    [[], false],
    [REMOTE_NAMES, true],
  ] as const) {
    const watch = await watchWith(t, rulesOf(...flags), remoteNames)
    await until('named', () => [...watch.pods.values()].filter(({ workload }) => workload !== null).length === 2)
    await watch.close()
    assert.deepEqual(
      watch.logged.filter((line) => line.includes('403') || line.includes('hint')),
      [],
    )
  }
})

const rights = rulesOfAll()

function rulesOfAll(): { resource: string; verb: string }[] {
  if (skip !== false) return []
  return rulesOf(...REMOTE_NAMES).flatMap(({ resources, verbs }) =>
    resources.flatMap((resource) => verbs.map((verb) => ({ resource, verb }))),
  )
}

/** The rules without one verb on one resource. */
const without = (resource: string, verb: string): PolicyRule[] =>
  rulesOf(...REMOTE_NAMES)
    .map((rule) =>
      rule.resources.includes(resource) ? { ...rule, verbs: rule.verbs.filter((name) => name !== verb) } : rule,
    )
    .filter(({ verbs }) => verbs.length > 0)

for (const { resource, verb } of rights) {
  test(`rbac: without ${verb} on ${resource} the log names the missing permission`, { skip }, async (t) => {
    const watch = await watchWith(t, without(resource, verb), true)
    const refused = new RegExp(`does not allow system:serviceaccount:ops:agent to ${verb} ${resource} \\(403\\)`)
    await until(`the log has ${refused}`, () => watch.logged.some((line) => refused.test(line)))
  })
}
