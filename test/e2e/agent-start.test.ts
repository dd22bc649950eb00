/**
 * The start of an agent: what /readyz guarantees, and what pairs contain without an API server. Real processes and
 * namespaces.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { cgroupMount } from '../../rig/cgroup-mount.ts'
import { needs } from '../../rig/needs.ts'
import { NodeRig, type RigPod } from '../../rig/node-rig.ts'
import { AgentRig, isListening, request, serverProgram, uniquePath, until } from '../support/agent-rig.ts'

const skip = needs('linux', 'root', 'ip', 'cgroup', 'unshare')
const PORT = 8080
const PODS = 24

const node = (t: TestContext): Promise<NodeRig> => NodeRig.createApart(t, cgroupMount('v1') === null ? 'v2' : 'v1')

/** A server in a container of a pod. @returns the container's id */
async function serve(pod: RigPod, env: Record<string, string> = {}): Promise<string> {
  const { pid, containerId } = await pod.run('server', { program: serverProgram(PORT), env })
  await until('the server', () => isListening(pid, PORT))
  return containerId
}

/** Polls until /readyz returns 200. @returns the bodies of the responses before */
async function ready(agent: AgentRig): Promise<string[]> {
  const bodies: string[] = []
  for (const end = Date.now() + 60_000; Date.now() < end; ) {
    const response = await fetch(`${agent.url}/readyz`)
    if (response.status === 200) return bodies
    bodies.push(await response.text())
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  throw new Error(`never ready: ${bodies.at(-1)}`)
}

test('agent: captures the first requests of every pod after /readyz returns 200', {
  skip,
  timeout: 240_000,
}, async (t) => {
  const rig = await node(t)
  const client = rig.pod()
  await client.run('client')
  const servers = Array.from({ length: PODS }, () => rig.pod())
  await Promise.all(servers.map((pod) => serve(pod)))
  const agent = AgentRig.under(t, rig.within(false))
  await agent.logged('metrics and health are served')
  const before = await ready(agent)
  const path = uniquePath()
  await Promise.all(
    servers.map(({ addresses: [address] }) =>
      request(client.namespace, `http://${address}:${PORT}${path}/${address}`, 1),
    ),
  )
  await until('the pairs', () => agent.pairs(path).length >= PODS)
  assert.equal(await agent.end(), 0)
  assert.equal(new Set(agent.pairs(path).map(({ request: { target } }) => target)).size, PODS)
  assert.ok(
    before.some((body) => body.includes('[-]capture failed')),
    `not ready before: ${before[0]}`,
  )
})

test('agent: reports once that it captures nothing on a host with only loopback addresses, and when that ends', {
  skip,
  timeout: 120_000,
}, async (t) => {
  const rig = await node(t)
  const devices = rig.network.ip('-o', 'link').matchAll(/^\d+: ([^:@]+)/gm)
  for (const [, device] of devices) if (device !== 'lo') rig.network.ip('addr', 'flush', 'dev', device)
  const settings = ['capture.interfaces=uplink']
  const agent = AgentRig.under(t, rig.within(true), { settings })
  const said = () => agent.records.filter(({ msg }) => msg.startsWith('nothing is captured: '))
  await until(
    'the warning',
    () => said().length > 0,
    () => agent.log,
  )
  assert.match(said()[0].msg, /capture\.interfaces is set, but no interface of the host except loopback has an address/)
  assert.match(String(said()[0]['hint']), /interceptor capture -i lo/)
  // With an address there is something to capture, but under another name.
  rig.joinNetwork('downlink', '203.0.113.1/24', rig.namespace(), '203.0.113.2/24')
  await agent.logged('an interface of capture.interfaces does not exist', { interface: 'uplink' })
  assert.equal(said().length, 1)
  rig.network.ip('link', 'set', 'downlink', 'down')
  rig.network.ip('link', 'set', 'downlink', 'name', 'uplink')
  rig.network.ip('link', 'set', 'uplink', 'up')
  await agent.logged('captured', { interface: 'uplink' })
  assert.equal(await agent.end(), 0)
})

test('agent: without an API server, pairs have uid, container id and the name from HOSTNAME', {
  skip,
  timeout: 120_000,
}, async (t) => {
  const rig = await node(t)
  const [client, named, unnamed] = [rig.pod(), rig.pod(), rig.pod()]
  const clientContainer = (await client.run('client', { env: { HOSTNAME: 'client-0' } })).containerId
  const container = await serve(named, { HOSTNAME: 'shop-0', POD_NAMESPACE: 'shop' })
  const other = await serve(unnamed)
  const folder = mkdtempSync(join(tmpdir(), 'agent-start-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const summary = join(folder, 'summary.json')
  const agent = AgentRig.under(t, rig.within(false), { args: ['--summary', summary] })
  await agent.logged('metrics and health are served')
  await ready(agent)
  const path = uniquePath()
  for (const pod of [named, unnamed]) await request(client.namespace, `http://${pod.addresses[0]}:${PORT}${path}`, 3)
  await until('the pairs', () => agent.pairs(path).length >= 6)
  assert.equal(await agent.end(), 0)
  const pairs = agent.pairs(path)
  const pod = { namespace: null, workload: null, labels: {} }
  // Pairs of different connections come out in any order.
  const seen = pairs.map(({ client, server }) => ({ client: client.pod, server: server.pod }))
  const from = { ...pod, name: 'client-0', uid: client.uid, container: clientContainer }
  for (const to of [
    { ...pod, name: 'shop-0', uid: named.uid, container },
    { ...pod, name: null, uid: unnamed.uid, container: other },
  ]) {
    assert.deepEqual(
      seen.filter(({ server }) => server?.uid === to.uid),
      Array.from({ length: 3 }, () => ({ client: from, server: to })),
    )
  }
  const ledger = JSON.parse(readFileSync(summary, 'utf8')) as { pairs: { kept: number; shipped: number } }
  assert.ok(ledger.pairs.kept >= 6)
  assert.equal(ledger.pairs.shipped, ledger.pairs.kept)
})
