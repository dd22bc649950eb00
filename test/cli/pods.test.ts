import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { cgroupMount } from '../../rig/cgroup-mount.ts'
import { needs } from '../../rig/needs.ts'
import { NodeRig } from '../../rig/node-rig.ts'
import { podTraffic } from '../../src/admin/pod-traffic.ts'
import { serveAdmin } from '../../src/admin/server.ts'
import type { podsJson } from '../../src/cli/pods-json.ts'
import { EXIT_PRIVILEGE } from '../../src/errors.ts'
import { createLogger } from '../../src/log/logger.ts'
import { agentState, podInterface } from '../admin/agent-state.ts'
import { FakeProc, type FakeProcess, HOST_NETNS, podNetwork } from '../discovery/fake-proc.ts'
import { ESCAPE, run } from './support.ts'

type Shown = ReturnType<typeof podsJson>

const UID = '0e1f2d3c-4b5a-6978-8796-a5b4c3d2e1f0'
const ID = 'ab'.repeat(32)

const shop: FakeProcess = {
  pid: 100,
  command: ['/usr/bin/node', 'server.js'],
  netns: HOST_NETNS + 1,
  cgroup: `/kubepods/pod${UID}/${ID}`,
  env: { HOSTNAME: 'shop-0' },
  network: podNetwork(7),
}
const redis: FakeProcess = { pid: 200, command: ['redis'], netns: HOST_NETNS + 2, cgroup: `/docker/${ID}` }

const procRoot = (t: TestContext, ...processes: FakeProcess[]): string => FakeProc.create(t, ...processes).root

test('pods: prints a table', async (t) => {
  const { code, stdout, stderr } = await run(['pods', '--proc', procRoot(t, shop, redis)])
  assert.equal(code, 0)
  assert.equal(
    stdout,
    [
      'POD       NAMESPACE   CONTAINERS   PID   NETNS        IPS          MESH   INTERFACE   WHY',
      '~shop-0   -           node         100   4026531841   10.244.0.7   -      eth0        no mesh; its default route',
      '',
    ].join('\n'),
  )
  assert.equal(stderr, '1 pod; 3 processes in 3 network namespaces seen\n')
})

test('pods -v: lists namespaces that belong to no pod', async (t) => {
  const { stdout } = await run(['pods', '-v', '--proc', procRoot(t, shop, redis)])
  assert.match(stdout, /\n4026531842 {3}200 {3}redis {5}abababababab {3}a container that belongs to no pod\n$/)
})

test('pods: lists a host-network pod without a name by its uid', async (t) => {
  const { stdout } = await run(['pods', '--proc', procRoot(t, { ...shop, netns: HOST_NETNS })])
  assert.match(stdout, new RegExp(`\n${UID} .* 10\\.244\\.0\\.250 .* any \\(host\\) +host network: `))
})

test('pods: escapes process names', async (t) => {
  const { stdout } = await run([
    'pods',
    '--color',
    'never',
    '--proc',
    procRoot(t, { ...shop, command: ['\x1b[31mred'] }),
  ])
  assert.ok(!stdout.includes(ESCAPE))
  assert.match(stdout, /\\x1b\[31mred/)
})

test('pods -o json: prints the snapshot', async (t) => {
  const { stdout } = await run(['pods', '-q', '-o', 'json'], {
    env: { INTERCEPTOR_TARGETS_PROC_ROOT: procRoot(t, shop) },
  })
  const { pods, host } = JSON.parse(stdout) as Shown
  assert.deepEqual([pods[0]?.uid, pods[0]?.capture?.interface, host.netns], [UID, 'eth0', HOST_NETNS])
})

test('pods: exits with 0 and a hint without pods', async (t) => {
  const { code, stdout, stderr } = await run(['pods', '--proc', procRoot(t)])
  assert.deepEqual([code, stdout], [0, ''])
  assert.match(stderr, /^no pods found; 1 process in 1 network namespace seen\nOn a Kubernetes node, /)
})

test('pods: reports ztunnel', async (t) => {
  const { stderr } = await run(['pods', '--proc', procRoot(t, { ...shop, command: ['ztunnel'] })])
  assert.match(stderr, /ambient mode/)
})

test('pods: exits with 2 for a directory that is not a proc filesystem', async () => {
  const { code, stderr } = await run(['pods', '--proc', '/usr'])
  assert.deepEqual([code, stderr.split('\n')[0]], [2, 'interceptor: no proc filesystem at /usr'])
})

/** With this capability the checkout may be in a folder that only root may enter. */
const ANY_FILE = ['--inh-caps=+dac_override', '--ambient-caps=+dac_override']

const privileges: [title: string, under: string[], code: number][] = [
  ['nobody', ['--reuid=65534', '--clear-groups', ...ANY_FILE], EXIT_PRIVILEGE],
  ['root without SYS_PTRACE', ['--bounding-set=-all,+net_raw,+sys_admin,+dac_read_search'], EXIT_PRIVILEGE],
  ['root with SYS_PTRACE alone', ['--bounding-set=-all,+sys_ptrace'], 0],
]

for (const [title, under, expected] of privileges) {
  test(`pods: exits with ${expected} as ${title}`, { skip: needs('linux', 'root', 'setpriv') }, async () => {
    const { code, stderr } = await run(['pods'], { under: ['setpriv', ...under] })
    assert.equal(code, expected)
    const refused = /^interceptor: cannot read the network namespace of \d+ of \d+ processes\n.*SYS_PTRACE/
    if (expected !== 0) assert.match(stderr, refused)
  })
}

test('pods -o json: prints a node with a mesh', { skip: needs('linux', 'root', 'ip', 'cgroup') }, async (t) => {
  const rig = NodeRig.create(t, cgroupMount('v1') === null ? 'v2' : 'v1')
  const [plain, meshed, onHost] = [rig.pod(), rig.pod(), rig.pod({ hostNetwork: true })]
  await plain.run('shop', { env: { HOSTNAME: 'plain-0' } })
  await meshed.run('shop')
  const containerId = randomBytes(32).toString('hex')
  const env = { POD_NAME: 'meshed-0', POD_NAMESPACE: 'shop', HOSTNAME: 'other' }
  for (const name of ['/usr/local/bin/pilot-agent', '/usr/local/bin/envoy'])
    await meshed.run(name, { containerId, env })
  await onHost.run('kube-proxy', { env: { HOSTNAME: 'node-1' } })
  const { code, stdout } = await run(['pods', '-o', 'json'])
  assert.equal(code, 0)
  const { pods } = JSON.parse(stdout) as Shown
  const shown = [plain, meshed, onHost].map(({ uid }) => {
    const pod = pods.find((found) => found.uid === uid)
    return [pod?.nameHint, pod?.namespaceHint, pod?.mesh?.name, pod?.capture?.scope, pod?.capture?.interface]
  })
  assert.deepEqual(shown, [
    ['plain-0', null, undefined, 'pod', 'eth0'],
    ['meshed-0', 'shop', 'istio', 'loopback', 'lo'],
    [null, null, undefined, 'host', 'any'],
  ])
})

test('pods --traffic: prints what the agent has seen of each pod, escaped', async (t) => {
  const facts = { uid: 'u', namespace: 'shop', name: 'cart-0\x1b[2J', hostNetwork: false, why: 'a', isCaptured: true }
  const seen = podTraffic({ ...facts, interfaces: [podInterface(1, 'shop/cart-0')] })
  const pod = { ...seen, frames: 1200, connections: { seen: 5, tls: 4, http1: 1 }, requests: 2, abandoned: { gap: 1 } }
  const log = createLogger({ level: 'silent', form: 'json' })
  const server = await serveAdmin(
    '127.0.0.1:0',
    () => agentState({ readPods: () => ({ pods: [pod], leftOut: 0 }) }),
    log,
  )
  t.after(() => server?.close())
  const { code, stdout } = await run(['pods', '--traffic', '--agent', String(server?.url)])
  assert.equal(code, 0)
  const [heading, row] = stdout.split('\n')
  assert.match(
    heading,
    /^POD +NAMESPACE +INTERFACE +FRAMES +CONNECTIONS +REQUESTS +KEPT +FILTERED +LOST +LAST PAIR +ADVICE$/,
  )
  assert.match(row, /^cart-0\\x1b\[2J +shop +eth0 +1,200 +5: 4 TLS, 1 HTTP\/1 +2 +0 +0 +1: gap 1 +- +no frames on eth0/)
  const json = await run([
    'pods',
    '--traffic',
    '-o',
    'json',
    '--set',
    `admin.address=${new URL(String(server?.url)).host}`,
  ])
  assert.deepEqual(JSON.parse(json.stdout).pods, [pod])
})

test('pods --traffic: reports that there is no agent, or that another program responds', async (t) => {
  const other = createServer((_, response) => response.end('{"pods": 1}')).listen(0, '127.0.0.1')
  await once(other, 'listening')
  t.after(() => other.close())
  const { port } = other.address() as AddressInfo
  const closed = createServer().listen(0, '127.0.0.1')
  await once(closed, 'listening')
  const { port: free } = closed.address() as AddressInfo
  closed.close()
  for (const [url, code, message] of [
    [`http://127.0.0.1:${free}`, 1, /there is no agent at http:\/\/127\.0\.0\.1:\d+: \S+ refuses connections/],
    [`http://127.0.0.1:${port}`, 1, /another program, or an older version, replied/],
    ['ftp://127.0.0.1', 2, /--agent: ftp:\/\/127\.0\.0\.1 is not a URL such as/],
    ['127.0.0.1', 2, /is not a URL such as/],
  ] as const) {
    const finished = await run(['pods', '--traffic', '--agent', url])
    assert.equal(finished.code, code, url)
    assert.match(finished.stderr, message)
  }
})
