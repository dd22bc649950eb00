/**
 * The agent on a node of real processes, namespaces and cgroups: what it captures, and how it follows changes. Without
 * Kubernetes.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { cgroupMount } from '../../rig/cgroup-mount.ts'
import { needs } from '../../rig/needs.ts'
import { CGROUP_STYLES, NodeRig } from '../../rig/node-rig.ts'
import { PODS_PAGE } from '../../src/admin/pod-traffic.ts'
import { EXIT_PRIVILEGE } from '../../src/errors.ts'
import { AgentRig, request, serveIn, uniquePath, until } from '../support/agent-rig.ts'

const skip = needs('linux', 'root', 'ip', 'cgroup')
const PORT = 8080

const node = (t: TestContext): NodeRig => NodeRig.create(t, cgroupMount('v1') === null ? 'v2' : 'v1')

test('agent: captures pods of every runtime, each request once, and drains on SIGTERM', { skip }, async (t) => {
  const rig = node(t)
  const client = rig.pod()
  const servers = Object.values(CGROUP_STYLES).map((style) => rig.pod({ style }))
  for (const pod of servers) await serveIn(pod, PORT)
  const agent = await AgentRig.create(
    t,
    servers.map(({ namespace }) => namespace!),
  )
  const path = uniquePath()
  for (const { addresses } of servers) await request(client.namespace, `http://${addresses[0]}:${PORT}${path}`, 5)
  await until('all pairs', () => agent.pairs(path).length >= servers.length * 5)
  const { pods } = PODS_PAGE.parse(await (await fetch(`${agent.url}/pods`)).json())
  const counted = pods.filter(({ uid }) => servers.some((pod) => pod.uid === uid))
  assert.deepEqual(
    counted.map(({ pairs, requests, advice }) => [pairs.kept, requests, advice]),
    servers.map(() => [5, 5, 'pairs are kept']),
  )
  assert.equal(await agent.end(), 0)
  const seen = agent.pairs(path)
  assert.equal(seen.length, servers.length * 5)
  assert.equal(new Set(seen.map(({ id }) => id)).size, seen.length)
  assert.deepEqual(
    new Set(seen.map(({ server }) => server.address)),
    new Set(servers.map(({ addresses }) => addresses[0])),
  )
})

test('agent: captures a new pod and releases an ended one, and other pods lose nothing', {
  skip,
}, async (t) => {
  const rig = node(t)
  const [client, steady, goes] = [rig.pod(), rig.pod(), rig.pod()]
  await serveIn(steady, PORT)
  const gone = await serveIn(goes, PORT)
  const agent = await AgentRig.create(t, [steady.namespace!, goes.namespace!])
  const path = uniquePath()
  const traffic = request(client.namespace, `http://${steady.addresses[0]}:${PORT}${path}`, 300, { pauseMs: 10 })
  await request(client.namespace, `http://${goes.addresses[0]}:${PORT}${path}-goes`, 3)
  process.kill(gone.pid, 'SIGKILL')
  const inode = goes.namespace!.inode
  await agent.logged('no longer captured', { key: `${inode}/eth0` })
  const comes = rig.pod()
  await serveIn(comes, PORT)
  await agent.captures(comes.namespace!)
  await request(client.namespace, `http://${comes.addresses[0]}:${PORT}${path}-comes`, 3)
  await traffic
  await until(
    'the last pairs',
    () => agent.pairs(`${path}-comes`).length === 3 && agent.pairs(`${path}/299`).length === 1,
  )
  assert.equal(await agent.end(), 0)
  assert.equal(agent.pairs(`${path}-goes`).length, 3)
  const numbers = agent.pairs(`${path}/`).map(({ request: { target } }) => Number(target.split('/').at(-1)))
  const missing = Array.from({ length: 300 }, (_, number) => number).filter((number) => !numbers.includes(number))
  assert.deepEqual(missing, [])
  assert.equal(numbers.length, 300)
})

test('agent: captures a server with the host’s network once, without configuration', { skip }, async (t) => {
  const rig = node(t)
  const [onHost, another] = [rig.pod({ hostNetwork: true }), rig.pod({ hostNetwork: true })]
  const address = rig.joinHost()
  const port = 20_000 + (process.pid % 10_000)
  await serveIn(onHost, port)
  await another.run('other')
  const client = rig.pod()
  await client.run('client')
  const agent = await AgentRig.create(t, [client.namespace!])
  await agent.logged('captured', { interface: 'any' })
  const path = uniquePath()
  await request(client.namespace, `http://${address}:${port}${path}`, 5)
  await until('the pairs', () => agent.pairs(path).length >= 5)
  assert.equal(await agent.end(), 0)
  assert.equal(agent.pairs(path).length, 5)
})

test('agent: does not capture pods that the rules exclude', { skip }, async (t) => {
  const rig = node(t)
  const pod = rig.pod()
  await serveIn(pod, PORT)
  const agent = await AgentRig.create(t, [], { settings: ['targets.namespaces.include=shop'] })
  const metrics = async (): Promise<string> => (await fetch(`${agent.url}/metrics`)).text()
  await until('a pass', () => agent.child.exitCode === null)
  let text = ''
  for (let tries = 0; tries < 200 && !text.includes('reason="unknown"'); tries += 1) {
    text = await metrics()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  assert.match(text, /interceptor_pods\{.*captured="false",reason="unknown"\} [1-9]/)
  assert.ok(!agent.records.some(({ msg }) => msg === 'captured'))
  await agent.logged('targets has rules about namespaces or labels, but there is no API server: no pod is captured')
  assert.equal(await agent.end(), 0)
})

test('agent: exits with 4 and names a missing privilege', {
  skip: skip || needs('setpriv'),
}, async (t) => {
  const rig = node(t)
  await rig.pod().run('shop')
  for (const [left, named] of [
    ['-net_raw', /CAP_NET_RAW/],
    ['-sys_admin', /CAP_SYS_ADMIN/],
    ['-sys_ptrace', /SYS_PTRACE/],
  ] as const) {
    const agent = AgentRig.under(t, ['setpriv', `--bounding-set=${left}`])
    if (agent.child.exitCode === null) await once(agent.child, 'exit')
    assert.equal(agent.child.exitCode, EXIT_PRIVILEGE, agent.log)
    assert.match(agent.log, named)
  }
})

for (const [title, settings, code, message] of [
  ['no brokers', ['ship.sink=kafka'], 2, /no Kafka broker/],
  ['a selector that is none', ['targets.selector=app in ('], 2, /selector/],
  ['a place that is no proc', ['targets.procRoot=/usr'], 2, /no proc filesystem/],
  ['no API server where one is wanted', ['kubernetes.enabled=true'], 2, /no API server/],
] as const) {
  test(`agent: exits with ${code} on ${title}`, { skip }, async (t) => {
    const agent = AgentRig.under(t, [], { settings, env: { KUBERNETES_SERVICE_HOST: '' } })
    if (agent.child.exitCode === null) await once(agent.child, 'exit')
    assert.equal(agent.child.exitCode, code)
    assert.match(agent.log, message)
  })
}
