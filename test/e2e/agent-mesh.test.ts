/**
 * A mesh of real Envoys as sidecars with mutual TLS between them, configured like Istio's: plaintext is only on
 * loopback, and each exchange is emitted once, from the server's vantage. Names come from a real API server.
 */
import assert from 'node:assert/strict'
import { after, before, suite, type TestContext, test } from 'node:test'
import { cgroupMount } from '../../rig/cgroup-mount.ts'
import { needsKubeApiserver } from '../../rig/kube-apiserver.ts'
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
import { needsEnvoy } from '../support/envoy.ts'
import { KubeRig } from '../support/kube-rig.ts'
import { segmentOf } from '../support/segments.ts'
import { Mesh } from '../support/sidecar.ts'
import { Tcpdump } from '../support/tcpdump.ts'

const skip =
  needs('linux', 'root', 'ip', 'iptables', 'cgroup', 'unshare', 'setpriv', 'openssl', 'tcpdump') ||
  needsKubeApiserver() ||
  needsEnvoy()
const PORT = 8080
const HOST = 'api.default.svc.cluster.local:8080'
const SERVICE = '10.96.0.10'
const OUTSIDE = '203.0.113.2'

suite('agent: a mesh', { skip, timeout: 360_000 }, () => {
  let kube: KubeRig
  before(async () => {
    kube = await KubeRig.start({ n1: ['10.244.0.0/24'] })
  })
  after(() => kube?.remove())

  interface Meshed {
    agent: AgentRig
    client: RigPod
    server: RigPod
  }

  /** A client and a server with a sidecar each, a server outside, and an agent that captures the pods' loopback. */
  async function meshed(t: TestContext, settings: readonly string[] = []): Promise<Meshed> {
    const rig = await NodeRig.createApart(t, cgroupMount('v1') === null ? 'v2' : 'v1')
    t.after(() => kube.deletePods())
    const containers = [
      { name: 'app', image: 'app', ports: [{ containerPort: PORT }] },
      { name: 'istio-proxy', image: 'proxyv2' },
    ]
    const make = (name: string): Promise<RigPod> => kube.pod(rig, { name, node: 'n1', spec: { containers } })
    const [client, server] = [await make('client-0'), await make('api-0')]
    const outside = rig.namespace()
    rig.joinNetwork('uplink', '203.0.113.1/24', outside, `${OUTSIDE}/24`)
    rig.translate('POSTROUTING', '-o', 'uplink', '-j', 'MASQUERADE')
    const far = await rig.start('outside', 'outside', outside, { program: serverProgram(PORT) })
    await until('the server outside', () => isListening(far.pid, PORT))
    await client.run('client')
    await serveIn(server, PORT)
    const mesh = new Mesh(t)
    for (const pod of [client, server]) await mesh.inject(pod, { [HOST]: `${server.addresses[0]}:${PORT}` })
    const agent = await AgentRig.create(t, [], {
      settings: [...kube.settings('n1'), ...settings],
      under: rig.within(false),
    })
    for (const { namespace } of [client, server]) await agent.captures(namespace!, 'lo')
    return { agent, client, server }
  }

  const seen = ({ client, server, capture }: SeenPair): string =>
    `${client.pod?.name} → ${server.pod?.name}, ${capture.vantage} at ${capture.interface}, ${capture.mesh}`

  function counts(pairs: readonly SeenPair[]): Record<string, number> {
    const found: Record<string, number> = {}
    for (const pair of pairs) found[seen(pair)] = (found[seen(pair)] ?? 0) + 1
    return found
  }

  test('agent: emits each exchange once: within the mesh from the server’s loopback, to external servers from the client’s', async (t) => {
    const { agent, client } = await meshed(t)
    const path = uniquePath()
    const inside = await request(client.namespace, `http://${SERVICE}:${PORT}${path}-inside`, 5, { host: HOST })
    const out = await request(client.namespace, `http://${OUTSIDE}:${PORT}${path}-out`, 5, { host: 'example.com' })
    assert.deepEqual([inside.length, out.length], [5, 5])
    // The proxy's administration interface is not application traffic.
    await request(client.namespace, `http://127.0.0.1:15000/server_info?${path}`, 1)
    await until('the pairs', () => agent.pairs(path).length >= 10)
    const metrics = await (await fetch(`${agent.url}/metrics`)).text()
    assert.equal(await agent.end(), 0)
    assert.deepEqual(counts(agent.pairs(`${path}-inside`)), { 'undefined → api-0, server at lo, istio': 5 })
    assert.deepEqual(counts(agent.pairs(`${path}-out`)), { 'client-0 → undefined, client at lo, istio': 5 })
    assert.deepEqual(agent.pairs('/server_info'), [])
    assert.match(metrics, /^interceptor_pairs_filtered_total\{reason="view"\} 5$/m)
    const [first] = agent.pairs(`${path}-inside`)
    assert.equal(first?.server.pod?.container, 'app')
    // The connection comes from the proxy, which names the original client in a header.
    const forwarded = first.capture.forwarded?.find(([name]) => name === 'x-forwarded-client-cert')
    assert.match(forwarded?.[1] ?? '', /Subject="CN=sidecar-1"/)
    assert.equal(agent.pairs(`${path}-out`)[0]?.capture.forwarded, undefined)
  })

  test('agent: with `targets.keep: both`, emits both legs of an exchange', async (t) => {
    const { agent, client } = await meshed(t, ['targets.keep=both'])
    const path = uniquePath()
    await request(client.namespace, `http://${SERVICE}:${PORT}${path}`, 5, { host: HOST })
    await until('the pairs', () => agent.pairs(path).length >= 10)
    assert.equal(await agent.end(), 0)
    assert.deepEqual(counts(agent.pairs(path)), {
      'client-0 → undefined, client at lo, istio': 5,
      'undefined → api-0, server at lo, istio': 5,
    })
  })

  test('agent: traffic between the sidecars is only TLS', async (t) => {
    const { client, server } = await meshed(t)
    const path = uniquePath()
    const tcpdump = await Tcpdump.start(server.namespace!, 'eth0', 'tcp')
    await request(client.namespace, `http://${SERVICE}:${PORT}${path}`, 5, { host: HOST })
    const packets = await tcpdump.packets(20)
    assert.ok(!Buffer.concat(packets).includes(path))
    // A TLS record begins with its type, 20 to 23, and version 3.x.
    const payloads = packets.map((packet) => segmentOf(packet).payload).filter(({ length }) => length > 0)
    assert.ok(payloads.length >= 10)
    assert.deepEqual([...payloads[0].subarray(0, 2)], [22, 3])
  })
})
