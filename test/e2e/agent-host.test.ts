/**
 * One exchange yields one pair even if the node translates addresses, and its own interfaces are captured in addition
 * to the pods'. The node is a separate network namespace with an external network. The agent has the node's network, as
 * with `hostNetwork: true`.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { cgroupMount } from '../../rig/cgroup-mount.ts'
import { needs } from '../../rig/needs.ts'
import type { Namespace } from '../../rig/netns.ts'
import { NodeRig, type RigPod } from '../../rig/node-rig.ts'
import { AgentRig, isListening, request, serveIn, serverProgram, uniquePath, until } from '../support/agent-rig.ts'

const skip = needs('linux', 'root', 'ip', 'iptables', 'cgroup', 'unshare')
const PORT = 8080
const HOST_PORT = 9090
const NODE = '203.0.113.1'
const OUTSIDE = '203.0.113.2'
const SERVICE = '10.96.0.10'
const SETTINGS = ['targets.clusterNetworks=10.244.0.0/16,10.96.0.0/16']

interface World {
  agent: AgentRig
  client: RigPod
  server: RigPod
  outside: Namespace
  network: Namespace
}

/**
 * Two pods, one pod with the host's network, which makes the agent capture the node's interfaces, and an external
 * server.
 */
async function world(t: TestContext, settings: readonly string[] = []): Promise<World> {
  const rig = await NodeRig.createApart(t, cgroupMount('v1') === null ? 'v2' : 'v1')
  const [client, server, onHost] = [rig.pod(), rig.pod(), rig.pod({ hostNetwork: true })]
  const outside = rig.namespace()
  rig.joinNetwork('uplink', `${NODE}/24`, outside, `${OUTSIDE}/24`)
  rig.network.ip('route', 'add', 'default', 'via', OUTSIDE)
  // Address translation as by kube-proxy and CNI plugins: Services, a NodePort, and masquerading behind the node's
  // address.
  rig.service(SERVICE, 80, server.addresses[0], PORT)
  rig.service(NODE, 30_080, server.addresses[0], PORT)
  rig.translate(
    'OUTPUT',
    '-d',
    SERVICE,
    '-p',
    'tcp',
    '-j',
    'DNAT',
    '--to-destination',
    `${server.addresses[0]}:${PORT}`,
  )
  rig.translate('POSTROUTING', '-o', 'uplink', '-s', '10.244.0.0/24', '-j', 'MASQUERADE')
  await client.run('client')
  await serveIn(server, PORT)
  await serveIn(onHost, HOST_PORT)
  const far = await rig.start('outside', 'outside', outside, { program: serverProgram(PORT) })
  await until('the server outside', () => isListening(far.pid, PORT))
  const agent = await AgentRig.create(t, [client.namespace!, server.namespace!], {
    settings: [...SETTINGS, ...settings],
    under: rig.within(true),
  })
  await agent.logged('captured', { interface: 'any' })
  return { agent, client, server, outside, network: rig.network }
}

/** Client, server and vantage of the pairs, with their number. */
function views(agent: AgentRig, path: string): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { capture, client, server } of agent.pairs(path)) {
    const view = `${client.address} → ${server.address}:${server.port}, ${capture.vantage} at ${capture.interface}`
    counts[view] = (counts[view] ?? 0) + 1
  }
  return counts
}

test('host: forwarded and translated traffic is captured once, at the pod', { skip }, async (t) => {
  const { agent, client, server, outside } = await world(t)
  const [from] = client.addresses
  const [to] = server.addresses
  const path = uniquePath()
  const ask = (who: Namespace, address: string): Promise<number[]> => request(who, `http://${address}${path}`, 5)
  // Requests to a pod by its own address and by a Service's, outbound behind the node's address, and inbound by a
  // NodePort.
  const asked = [
    await ask(client.namespace!, `${to}:${PORT}`),
    await ask(client.namespace!, SERVICE),
    await ask(client.namespace!, `${OUTSIDE}:${PORT}`),
    await ask(outside, `${NODE}:30080`),
  ]
  assert.deepEqual(asked, Array(4).fill([0, 1, 2, 3, 4]))
  await until('the pairs', () => agent.pairs(path).length >= 20)
  assert.equal(await agent.end(), 0)
  assert.deepEqual(views(agent, path), {
    [`${from} → ${to}:${PORT}, server at eth0`]: 10,
    [`${from} → ${OUTSIDE}:${PORT}, client at eth0`]: 5,
    [`${OUTSIDE} → ${to}:${PORT}, server at eth0`]: 5,
  })
})

test('host: traffic of the host’s own sockets is kept once, at the server', { skip }, async (t) => {
  const { agent, client, server, outside, network } = await world(t)
  const [from] = client.addresses
  const [to] = server.addresses
  const path = uniquePath()
  const ask = (who: Namespace, address: string): Promise<number[]> => request(who, `http://${address}${path}`, 5)
  const asked = [
    await ask(client.namespace!, `${NODE}:${HOST_PORT}`),
    await ask(outside, `${NODE}:${HOST_PORT}`),
    await ask(network, `${OUTSIDE}:${PORT}`),
    await ask(network, `${to}:${PORT}`),
    await ask(network, SERVICE),
  ]
  assert.deepEqual(asked, Array(5).fill([0, 1, 2, 3, 4]))
  await until('the pairs', () => agent.pairs(path).length >= 25)
  assert.equal(await agent.end(), 0)
  assert.deepEqual(views(agent, path), {
    [`${from} → ${NODE}:${HOST_PORT}, server at any`]: 5,
    [`${OUTSIDE} → ${NODE}:${HOST_PORT}, server at any`]: 5,
    [`${NODE} → ${OUTSIDE}:${PORT}, client at any`]: 5,
    [`10.244.0.1 → ${to}:${PORT}, server at eth0`]: 5,
    [`${NODE} → ${to}:${PORT}, server at eth0`]: 5,
  })
})

test('host: with `targets.keep: both`, an exchange has the same id at every capture point', { skip }, async (t) => {
  const { agent, client, server, network } = await world(t, ['targets.keep=both'])
  const [to] = server.addresses
  const path = uniquePath()
  await request(client.namespace, `http://${SERVICE}${path}`, 5)
  await request(network, `http://${to}:${PORT}${path}`, 5)
  await until('the pairs', () => agent.pairs(path).length >= 20)
  assert.equal(await agent.end(), 0)
  assert.equal(new Set(agent.pairs(path).map(({ id }) => id)).size, 10)
  assert.deepEqual(views(agent, path), {
    [`${client.addresses[0]} → ${SERVICE}:80, client at eth0`]: 5,
    [`${client.addresses[0]} → ${to}:${PORT}, server at eth0`]: 5,
    [`10.244.0.1 → ${to}:${PORT}, client at any`]: 5,
    [`10.244.0.1 → ${to}:${PORT}, server at eth0`]: 5,
  })
})
