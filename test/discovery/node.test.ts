/** Discovery of real processes in real cgroups and network namespaces. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readlinkSync, writeFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { type CgroupVersion, cgroupMount } from '../../rig/cgroup-mount.ts'
import { needs } from '../../rig/needs.ts'
import { CGROUP_STYLES, NodeRig, type RigPod } from '../../rig/node-rig.ts'
import { NodeScanner } from '../../src/discovery/proc/scanner.ts'
import { type Pod, reachablePorts, type Snapshot } from '../../src/discovery/proc/snapshot.ts'

const skip = needs('linux', 'root', 'ip', 'cgroup')
/** The cgroup hierarchies in which this machine permits new groups. */
const VERSIONS = skip === false ? (['v1', 'v2'] as const).filter((version) => cgroupMount(version) !== null) : []

const RUNTIMES: Record<keyof typeof CGROUP_STYLES, string | null> = {
  'containerd, systemd': 'containerd',
  'containerd, cgroupfs': null,
  'CRI-O, systemd': 'cri-o',
  'CRI-O, cgroupfs': 'cri-o',
  'Docker, systemd': 'docker',
  'containerd in kind': 'containerd',
}

const scan = (): Snapshot => new NodeScanner('/proc').scan()

function find(snapshot: Snapshot, { uid }: RigPod): Pod {
  const pod = snapshot.pods.find((found) => found.uid === uid)
  assert.ok(pod, `pod ${uid} among ${snapshot.pods.map((found) => found.uid)}`)
  return pod
}

const inodeOf = (pid: number): number => Number(/\d+/.exec(readlinkSync(`/proc/${pid}/ns/net`))?.[0])

test('NodeScanner on a real node: finds a writable cgroup hierarchy', { skip }, () => assert.ok(VERSIONS.length > 0))

for (const version of VERSIONS) {
  for (const [title, style] of Object.entries(CGROUP_STYLES)) {
    test(`NodeScanner on a real node: a pod of ${title}, cgroup ${version}`, { skip }, async (t) => {
      const rigged = NodeRig.create(t, version).pod({ style })
      const pause = await rigged.run('/pause')
      const app = await rigged.run('/usr/local/bin/shop', { env: { HOSTNAME: 'shop-0' } })
      const { startTicks, ...found } = find(scan(), rigged)
      assert.ok(startTicks > 0)
      assert.deepEqual(found, {
        uid: rigged.uid,
        nameHint: 'shop-0',
        namespaceHint: null,
        containers: [
          { id: app.containerId, runtime: RUNTIMES[title as keyof typeof RUNTIMES], pid: app.pid, process: 'shop' },
        ],
        pid: pause.pid,
        netns: inodeOf(pause.pid),
        hostNetwork: false,
        addresses: rigged.addresses,
        interfaces: ['lo', 'eth0'],
        external: { name: 'eth0', by: 'default-route' },
        further: [],
        listeners: [],
        applications: [app.containerId],
        mesh: null,
        sandbox: null,
      })
    })
  }
}

const anyVersion = (): CgroupVersion => VERSIONS[0]

test('NodeScanner on a real node: detects meshes by their programs', { skip }, async (t) => {
  const rig = NodeRig.create(t, anyVersion())
  const programs = { istio: ['pilot-agent', 'envoy'], linkerd: ['linkerd2-proxy'], kuma: ['kuma-dp', 'envoy'] }
  for (const [mesh, names] of Object.entries(programs)) {
    const rigged = rig.pod()
    const containerId = randomBytes(32).toString('hex')
    for (const name of names) await rigged.run(`/usr/local/bin/${name}`, { containerId })
    await rigged.run('shop')
    const pod = find(scan(), rigged)
    assert.deepEqual([pod.mesh?.name, pod.mesh?.role], [mesh, 'sidecar'])
  }
})

test('NodeScanner on a real node: host network, a second interface, no interface', { skip }, async (t) => {
  const rig = NodeRig.create(t, anyVersion())
  const [onHost, twoInterfaces, none] = [rig.pod({ hostNetwork: true }), rig.pod(), rig.pod()]
  twoInterfaces.namespace!.ip('link', 'add', 'a0', 'type', 'veth', 'peer', 'name', 'a1')
  twoInterfaces.namespace!.ip('link', 'set', 'a0', 'up')
  twoInterfaces.namespace!.ip('addr', 'add', '172.20.0.2/24', 'dev', 'a0')
  none.namespace!.ip('link', 'del', 'eth0')
  for (const pod of [onHost, twoInterfaces, none]) await pod.run('shop')
  const snapshot = scan()
  assert.deepEqual([find(snapshot, onHost).hostNetwork, find(snapshot, onHost).netns], [true, snapshot.host.netns])
  assert.equal(find(snapshot, twoInterfaces).external?.name, 'eth0')
  assert.ok(find(snapshot, twoInterfaces).interfaces.includes('a0'))
  assert.equal(find(snapshot, none).external, null)
})

test('NodeScanner on a real node: ports of host-network pods', { skip }, async (t) => {
  const rig = NodeRig.create(t, anyVersion())
  const [listens, silent] = [rig.pod({ hostNetwork: true }), rig.pod({ hostNetwork: true })]
  const program = [process.execPath, '-e', "require('http').createServer().listen(0, '0.0.0.0')"]
  const { pid } = await listens.run('exporter', { program })
  await silent.run('shop')
  const scanner = new NodeScanner('/proc')
  let ports: readonly number[] = []
  for (let tries = 0; ports.length === 0 && tries < 500; tries += 1) {
    ports = reachablePorts(find(scanner.scan(), listens))
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  assert.deepEqual(ports, listeningPorts(pid))
  assert.deepEqual(reachablePorts(find(scanner.scan(), silent)), [])
})

/** According to ss(8). */
function listeningPorts(pid: number): number[] {
  const lines = execFileSync('ss', ['-Hltnp'], { encoding: 'utf8' }).split('\n')
  const own = lines.filter((line) => line.includes(`pid=${pid},`))
  return own.map((line) => Number(/:(\d+) /.exec(line)?.[1]))
}

test('NodeScanner on a real node: IPv6 only, and no default route', { skip }, async (t) => {
  const rig = NodeRig.create(t, anyVersion())
  const [v6, local] = [rig.pod(), rig.pod()]
  v6.namespace!.ip('addr', 'flush', 'dev', 'eth0')
  v6.namespace!.ip('-6', 'addr', 'add', 'fd44:0:0:1::9/64', 'dev', 'eth0', 'nodad')
  v6.namespace!.ip('-6', 'route', 'add', 'default', 'via', 'fd44:0:0:1::1')
  local.namespace!.ip('route', 'del', 'default')
  for (const pod of [v6, local]) await pod.run('shop')
  const snapshot = scan()
  assert.deepEqual(
    [find(snapshot, v6).addresses, find(snapshot, v6).external?.by],
    [['fd44:0:0:1::9'], 'default-route'],
  )
  assert.equal(find(snapshot, local).external?.by, 'address')
})

test('NodeScanner on a real node: a container outside of Kubernetes is not a pod', { skip }, async (t) => {
  const rig = NodeRig.create(t, anyVersion())
  const id = randomBytes(32).toString('hex')
  const { pid } = await rig.start('redis-server', `docker/${id}`, rig.namespace())
  const other = scan().others.find(({ netns }) => netns === inodeOf(pid))
  assert.deepEqual(
    [other?.process, other?.containers, other?.why],
    ['redis-server', [id], 'a container that belongs to no pod'],
  )
})

test('NodeScanner on a real node: pods start and end between scans while others stay the same objects', {
  skip,
}, async (t) => {
  const rig = NodeRig.create(t, anyVersion())
  const [stays, goes] = [rig.pod(), rig.pod()]
  await stays.run('shop')
  const { pid } = await goes.run('shop')
  const scanner = new NodeScanner('/proc')
  const before = find(scanner.scan(), stays)
  process.kill(pid, 'SIGKILL')
  const comes = rig.pod()
  await comes.run('shop')
  const after = scanner.scan()
  assert.equal(find(after, stays), before)
  assert.ok(find(after, comes))
  assert.ok(!after.pods.some((pod) => pod.uid === goes.uid))
})

test('NodeScanner on a real node: a reused pid is another process', { skip }, async (t) => {
  const rig = NodeRig.create(t, anyVersion())
  const [first, second] = [rig.pod(), rig.pod()]
  const { pid } = await first.run('shop')
  const scanner = new NodeScanner('/proc')
  find(scanner.scan(), first)
  process.kill(pid, 'SIGKILL')
  // The pid stays in use until this process, the parent, has reaped it.
  while (isThere(pid)) await new Promise((resolve) => setTimeout(resolve, 1))
  let again = await startAs(pid, () => second.run('shop'))
  for (let tries = 0; again !== pid && tries < 20; tries += 1) again = await startAs(pid, () => second.run('shop'))
  if (again !== pid) return t.skip('another process got the pid each time')
  const snapshot = scanner.scan()
  assert.ok(!snapshot.pods.some((pod) => pod.uid === first.uid))
  assert.ok(find(snapshot, second))
})

/** The next process that this machine starts gets the pid after this one. */
async function startAs(pid: number, start: () => Promise<{ pid: number }>): Promise<number> {
  writeFileSync('/proc/sys/kernel/ns_last_pid', String(pid - 1))
  return (await start()).pid
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

test('NodeScanner on a real node: a burst of short processes neither fails a scan nor loses the pod', {
  skip,
}, async (t) => {
  const rig = NodeRig.create(t, anyVersion())
  const rigged = rig.pod()
  const { containerId } = await rigged.run('/pause')
  const storm = 'for ((i = 0; i < 1500; i++)); do (exec -a worker true) & (( i % 20 )) || wait; done; wait'
  const { pid } = await rigged.run('storm', { program: ['bash', '-c', storm], containerId })
  const scanner = new NodeScanner('/proc')
  let scans = 0
  for (; isThere(pid); scans += 1) {
    find(scanner.scan(), rigged)
    await new Promise((resolve) => setImmediate(resolve))
  }
  t.diagnostic(`${scans} scans`)
  assert.ok(scans > 1)
})

test('NodeScanner on a real node: scans hundreds of processes', { skip }, async (t) => {
  const rig = NodeRig.create(t, anyVersion())
  const uids = await Promise.all(
    Array.from({ length: 5 }, async () => {
      const pod = rig.pod()
      await pod.run('shop')
      return pod.uid
    }),
  )
  const sleepers = await startSleepers(t, 200)
  const { processes, pods } = new NodeScanner('/proc').scan()
  assert.ok(processes > sleepers)
  const found = pods.map(({ uid }) => uid)
  assert.deepEqual(
    uids.filter((uid) => !found.includes(uid)),
    [],
  )
})

/** Exits together with the shell that started it. */
async function startSleepers(t: TestContext, count: number): Promise<number> {
  const script = `for ((i = 0; i < ${count}; i++)); do sleep infinity & done; echo done; trap 'kill $(jobs -p)' EXIT; read`
  const shell = spawn('bash', ['-c', script], { stdio: ['pipe', 'pipe', 'ignore'] })
  t.after(async () => {
    const exited = once(shell, 'exit')
    shell.stdin.end()
    await exited
  })
  await once(shell.stdout, 'data')
  return count
}
