/** One exchange yields one pair, however many of the agent's capture points it passes. Without an API server. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { cgroupMount } from '../../rig/cgroup-mount.ts'
import { needs } from '../../rig/needs.ts'
import { NodeRig, type RigPod } from '../../rig/node-rig.ts'
import {
  AgentRig,
  isListening,
  request,
  type SeenPair,
  serveIn,
  serverProgram,
  uniquePath,
  until,
} from '../support/agent-rig.ts'

const skip = needs('linux', 'root', 'ip', 'cgroup')
const PORT = 8080
const SERVICE = '10.96.0.10'

interface Pods {
  rig: NodeRig
  client: RigPod
  server: RigPod
}

/** A client and a server, both captured. */
async function pods(t: TestContext): Promise<Pods> {
  const rig = NodeRig.create(t, cgroupMount('v1') === null ? 'v2' : 'v1')
  const [client, server] = [rig.pod(), rig.pod()]
  await client.run('client')
  await serveIn(server, PORT)
  return { rig, client, server }
}

const vantages = (pairs: readonly SeenPair[]): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const { capture } of pairs) counts[capture.vantage] = (counts[capture.vantage] ?? 0) + 1
  return counts
}

test('once: between two pods of a node, keeps the server’s vantage', { skip }, async (t) => {
  const { client, server } = await pods(t)
  const agent = await AgentRig.create(t, [client.namespace!, server.namespace!])
  const path = uniquePath()
  await request(client.namespace, `http://${server.addresses[0]}:${PORT}${path}`, 5)
  await until('the pairs', () => agent.pairs(path).length >= 5)
  assert.equal(await agent.end(), 0)
  assert.deepEqual(vantages(agent.pairs(path)), { server: 5 })
})

test('once: keeps an exchange through a Service’s address once', { skip: skip || needs('iptables') }, async (t) => {
  const { rig, client, server } = await pods(t)
  rig.service(SERVICE, 80, server.addresses[0], PORT)
  const settings = ['targets.clusterNetworks=10.96.0.0/12']
  const agent = await AgentRig.create(t, [client.namespace!, server.namespace!], { settings })
  const path = uniquePath()
  await request(client.namespace, `http://${SERVICE}${path}`, 5)
  await until('the pairs', () => agent.pairs(path).length >= 5)
  assert.equal(await agent.end(), 0)
  const pairs = agent.pairs(path)
  assert.deepEqual(vantages(pairs), { server: 5 })
  assert.deepEqual(
    [...new Set(pairs.map(({ server: { address, port } }) => `${address}:${port}`))],
    [`${server.addresses[0]}:${PORT}`],
  )
})

test('once: with `targets.keep: both`, both pairs have the same id, also across address translation', {
  skip: skip || needs('iptables'),
}, async (t) => {
  const { rig, client, server } = await pods(t)
  rig.service(SERVICE, 80, server.addresses[0], PORT)
  const agent = await AgentRig.create(t, [client.namespace!, server.namespace!], { settings: ['targets.keep=both'] })
  const path = uniquePath()
  await request(client.namespace, `http://${SERVICE}${path}`, 5)
  await until('the pairs', () => agent.pairs(path).length >= 10)
  assert.equal(await agent.end(), 0)
  const pairs = agent.pairs(path)
  assert.deepEqual(vantages(pairs), { client: 5, server: 5 })
  assert.equal(new Set(pairs.map(({ id }) => id)).size, 5)
})

test('once: with a server outside the cluster, keeps the client’s vantage', { skip }, async (t) => {
  const { rig, client } = await pods(t)
  const outside = rig.namespace()
  outside.ip('addr', 'add', '203.0.113.9/32', 'dev', 'lo')
  const [address] = rig.join(outside)
  client.namespace!.ip('route', 'add', '203.0.113.9', 'via', address)
  const server = await rig.start('outside', 'outside', outside, { program: serverProgram(PORT) })
  const agent = await AgentRig.create(t, [client.namespace!])
  const path = uniquePath()
  await until('the server to listen', () => isListening(server.pid, PORT))
  await request(client.namespace, `http://203.0.113.9:${PORT}${path}`, 5)
  await until('the pairs', () => agent.pairs(path).length >= 5)
  assert.equal(await agent.end(), 0)
  assert.deepEqual(vantages(agent.pairs(path)), { client: 5 })
})

test('once: does not emit pods’ traffic that the host forwards again', { skip }, async (t) => {
  const { rig, client, server } = await pods(t)
  rig.joinHost()
  await rig.pod({ hostNetwork: true }).run('on-host')
  const agent = await AgentRig.create(t, [client.namespace!, server.namespace!])
  await agent.logged('captured', { interface: 'any' })
  const path = uniquePath()
  await request(client.namespace, `http://${server.addresses[0]}:${PORT}${path}`, 5)
  await until('the pairs', () => agent.pairs(path).length >= 5)
  assert.equal(await agent.end(), 0)
  assert.deepEqual(vantages(agent.pairs(path)), { server: 5 })
})
