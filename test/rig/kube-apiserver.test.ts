import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { KubeApiserver, type KubeError, needsKubeApiserver } from '../../rig/kube-apiserver.ts'
import {
  createNode,
  createPod,
  createServiceAccount,
  grant,
  requestToken,
  setPodStatus,
} from '../support/kube-apiserver-objects.ts'

test('KubeApiserver: keeps its objects across a crash, drops history when compacted, and issues tokens', {
  skip: needsKubeApiserver(),
}, async (t) => {
  const cluster = await KubeApiserver.start()
  t.after(() => cluster.remove())
  await createNode(cluster, 'n1', ['10.244.0.0/24'], '192.0.2.1')
  const uid = await createPod(cluster, { name: 'web-0', node: 'n1' })
  await setPodStatus(cluster, 'default', 'web-0', { podIPs: ['10.244.0.7'], containers: { app: 'containerd://abc' } })

  const { pid, port } = cluster
  await cluster.stopServer('SIGKILL')
  await assert.rejects(cluster.get('/api/v1/pods'), /ECONNREFUSED|ECONNRESET|destroyed/)
  await cluster.startServer()
  assert.notEqual(cluster.pid, pid)
  assert.equal(cluster.port, port)
  const pod = await cluster.get('/api/v1/namespaces/default/pods/web-0')
  assert.equal((pod['metadata'] as { uid: string }).uid, uid)
  assert.equal((pod['status'] as { podIP: string }).podIP, '10.244.0.7')

  await cluster.compact()
  const gone = cluster.get('/api/v1/pods?watch=true&resourceVersion=1&timeoutSeconds=1')
  assert.match(JSON.stringify(await gone.catch((error: KubeError) => error.status)), /410/)

  await createServiceAccount(cluster, 'ops', 'agent')
  await grant(cluster, 'ops', 'agent', [{ apiGroups: [''], resources: ['pods'], verbs: ['list'] }])
  const token = await requestToken(cluster, 'ops', 'agent')
  assert.equal(token.split('.').length, 3)
  await cluster.remove()
  assert.equal(existsSync(cluster.folder), false)
})
