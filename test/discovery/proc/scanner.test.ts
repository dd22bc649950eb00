import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { NodeScanner } from '../../../src/discovery/proc/scanner.ts'
import type { Pod, Snapshot } from '../../../src/discovery/proc/snapshot.ts'
import { EXIT_PRIVILEGE, EXIT_USAGE, InterceptorError } from '../../../src/errors.ts'
import { FakeProc, type FakeProcess, HOST_NETNS, PROCESS_FILES, podNetwork, tcpSocket, UPTIME } from '../fake-proc.ts'

const uid = (index: number): string => `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`
const id = (index: number): string => String(index).padStart(64, 'a')

/** A process in container `container` of pod `pod`, which has a namespace of its own. */
function inPod(pod: number, container: number, pid: number, ...command: string[]): FakeProcess {
  return {
    pid,
    command,
    netns: HOST_NETNS + pod,
    cgroup: `/kubepods/pod${uid(pod)}/cri-containerd-${id(container)}`,
    network: podNetwork(pod),
  }
}

/** A pod of two containers, one of them pause. Pids are `pod * 100 + …`. */
const plainPod = (pod: number): FakeProcess[] => [
  inPod(pod, pod * 10, pod * 100, '/pause'),
  { ...inPod(pod, pod * 10 + 1, pod * 100 + 1, '/usr/bin/node', 'server.js'), env: { HOSTNAME: `shop-${pod}` } },
]

function scan(t: TestContext, ...processes: FakeProcess[]): Snapshot {
  return new NodeScanner(FakeProc.create(t, ...processes).root).scan()
}

function onlyPod({ pods }: Snapshot): Pod {
  assert.equal(pods.length, 1, JSON.stringify(pods))
  return pods[0]
}

test('NodeScanner: describes a pod from its processes', (t) => {
  const snapshot = scan(t, ...plainPod(7))
  assert.deepEqual(snapshot, {
    uptimeTicks: UPTIME * 100,
    processes: 3,
    denied: 0,
    networkNamespaces: 2,
    host: {
      netns: HOST_NETNS,
      interface: 'eth0',
      addresses: ['10.244.0.250'],
      allAddresses: ['10.244.0.250'],
      hopLimit: 64,
    },
    ambient: false,
    pods: [
      {
        uid: uid(7),
        nameHint: 'shop-7',
        namespaceHint: null,
        containers: [{ id: id(71), runtime: 'containerd', pid: 701, process: 'node' }],
        applications: [id(71)],
        pid: 700,
        startTicks: 700,
        netns: HOST_NETNS + 7,
        hostNetwork: false,
        addresses: ['10.244.0.7'],
        interfaces: ['lo', 'eth0'],
        external: { name: 'eth0', by: 'default-route' },
        further: [],
        listeners: [],
        mesh: null,
        sandbox: null,
      },
    ],
    others: [],
  })
})

test('NodeScanner: returns each pod once, ordered by uid', (t) => {
  const { pods } = scan(t, ...plainPod(9), ...plainPod(2), ...plainPod(5))
  assert.deepEqual(
    pods.map((pod) => pod.uid),
    [uid(2), uid(5), uid(9)],
  )
})

test('NodeScanner: a host-network pod has the host’s interface, and HOSTNAME does not name it', (t) => {
  const proxy = { ...inPod(3, 30, 300, 'kube-proxy'), netns: HOST_NETNS, env: { HOSTNAME: 'node-1' } }
  const pod = onlyPod(scan(t, proxy))
  assert.equal(pod.hostNetwork, true)
  assert.equal(pod.external?.name, 'eth0')
  assert.deepEqual([pod.nameHint, pod.addresses, pod.interfaces], [null, ['10.244.0.250'], []])
})

test('NodeScanner: POD_NAME takes precedence over HOSTNAME', (t) => {
  const [pause, app] = plainPod(4)
  const sidecar = { ...inPod(4, 42, 402, 'pilot-agent'), env: { POD_NAME: 'shop-4-x', POD_NAMESPACE: 'shop' } }
  const pod = onlyPod(scan(t, pause, app, sidecar))
  assert.deepEqual([pod.nameHint, pod.namespaceHint], ['shop-4-x', 'shop'])
})

test('NodeScanner: ignores environment values that are not valid names', (t) => {
  const env = { HOSTNAME: '\x1b[31mred', POD_NAMESPACE: 'no spaces' }
  const pod = onlyPod(scan(t, { ...inPod(4, 40, 400, 'node'), env }))
  assert.deepEqual([pod.nameHint, pod.namespaceHint], [null, null])
})

test('NodeScanner: detects a sidecar beside the application', (t) => {
  const sidecar = [
    inPod(4, 42, 402, '/usr/local/bin/pilot-agent', 'proxy', 'sidecar'),
    inPod(4, 42, 403, '/usr/local/bin/envoy'),
  ]
  const pod = onlyPod(scan(t, ...plainPod(4), ...sidecar))
  assert.deepEqual([pod.mesh?.name, pod.mesh?.role], ['istio', 'sidecar'])
  assert.deepEqual(
    pod.containers.map(({ process }) => process),
    ['node', 'pilot-agent'],
  )
})

for (const [title, helper] of [
  ['conmon', { command: ['/usr/bin/conmon'], cgroup: `/kubepods/pod${uid(4)}/crio-conmon-${id(40)}.scope` }],
  ['runc before it enters the namespace', { command: ['runc', 'init'] }],
  ['runc between create and start', { command: [], kernelName: 'runc:[2:INIT]' }],
] as const) {
  test(`NodeScanner: ${title} does not make the pod a host-network pod`, (t) => {
    const process = { ...inPod(4, 40, 450), netns: HOST_NETNS, ...helper }
    assert.deepEqual(scan(t, process).pods, [])
    assert.equal(onlyPod(scan(t, process, ...plainPod(4))).hostNetwork, false)
  })
}

test('NodeScanner: attributes a process without a pod cgroup to the pod whose namespace it is in', (t) => {
  const proxy = { ...inPod(4, 40, 440, 'linkerd2-proxy'), cgroup: '/' }
  assert.equal(onlyPod(scan(t, ...plainPod(4), proxy)).mesh?.name, 'linkerd')
})

test('NodeScanner: lists nested namespaces of Docker in a pod as others', (t) => {
  const inner = { ...inPod(4, 41, 460, 'nginx'), netns: HOST_NETNS + 99 }
  const snapshot = scan(t, ...plainPod(4), inner)
  assert.equal(onlyPod(snapshot).netns, HOST_NETNS + 4)
  assert.deepEqual(snapshot.others, [
    {
      netns: HOST_NETNS + 99,
      pid: 460,
      process: 'nginx',
      containers: [id(41)],
      why: `a second namespace of pod ${uid(4)}: its traffic passes through the pod’s own interface`,
    },
  ])
})

test('NodeScanner: containers and services outside of Kubernetes are not pods', (t) => {
  const docker: FakeProcess = { pid: 50, command: ['redis'], netns: HOST_NETNS + 1, cgroup: `/docker/${id(1)}` }
  const service: FakeProcess = {
    pid: 60,
    command: ['colord'],
    netns: HOST_NETNS + 2,
    cgroup: '/system.slice/colord.service',
  }
  const { pods, others } = scan(t, service, docker)
  assert.deepEqual(pods, [])
  assert.deepEqual(
    others.map(({ process, why }) => [process, why]),
    [
      ['redis', 'a container that belongs to no pod'],
      ['colord', 'not in a container'],
    ],
  )
})

for (const [title, command, why] of [
  ['Kata’s shim', ['/opt/kata/bin/containerd-shim-kata-v2', '-id', 'x'], /^Kata Containers/],
  [
    'Kata’s hypervisor',
    ['/usr/bin/qemu-system-x86_64', '-name', `sandbox-${id(4)},debug-threads=on`],
    /^Kata Containers/,
  ],
  ['gVisor', ['runsc-sandbox', '--root=/run'], /^gVisor/],
] as const) {
  test(`NodeScanner: ${title}: reports a sandbox`, (t) => {
    const pod = onlyPod(scan(t, inPod(4, 40, 400, ...command)))
    assert.match(pod.sandbox ?? '', why)
  })
}

test('NodeScanner: KubeVirt guests are ordinary pods', (t) => {
  const pod = onlyPod(scan(t, inPod(4, 40, 400, '/usr/libexec/qemu-kvm', '-name', 'guest=shop_vm')))
  assert.equal(pod.sandbox, null)
})

test('NodeScanner: reports the listeners of a pod, and which containers are applications', (t) => {
  const [pause, app] = plainPod(4)
  const tcp = [tcpSocket(8080, 1), tcpSocket(3500, 2, '0100007F'), tcpSocket(15008, 3)]
  const network = { ...podNetwork(4), tcp }
  const dapr = { ...inPod(4, 42, 402, '/daprd', '--app-id', 'shop'), sockets: [2] }
  const pod = onlyPod(scan(t, { ...pause, network }, { ...app, sockets: [1] }, dapr))
  assert.deepEqual(pod.applications, [id(41)])
  assert.deepEqual(
    pod.listeners.map(({ port, loopbackOnly, containerId }) => [port, loopbackOnly, containerId]),
    [
      [3500, true, id(42)],
      [8080, false, id(41)],
      [15008, false, null],
    ],
  )
})

test('NodeScanner: a sidecar’s container is not an application', (t) => {
  const sidecar = [inPod(4, 42, 402, 'pilot-agent', 'proxy', 'sidecar'), inPod(4, 42, 403, 'envoy')]
  assert.deepEqual(onlyPod(scan(t, ...plainPod(4), ...sidecar)).applications, [id(41)])
  const lone = { ...inPod(5, 50, 500, 'envoy') }
  assert.deepEqual(onlyPod(scan(t, lone)).applications, [id(50)])
})

test('NodeScanner: a pod without an interface yet', (t) => {
  const pod = onlyPod(scan(t, { ...inPod(4, 40, 400, '/pause'), network: {} }))
  assert.equal(pod.external, null)
})

test('NodeScanner: detects ztunnel', (t) => {
  assert.equal(scan(t, inPod(4, 40, 400, '/usr/local/bin/ztunnel', 'proxy', 'ztunnel')).ambient, true)
})

test('NodeScanner: reuses unchanged objects in the next snapshot', (t) => {
  const proc = FakeProc.create(t, ...plainPod(4), ...plainPod(5))
  const scanner = new NodeScanner(proc.root)
  const first = scanner.scan()
  // A further worker process does not change the description.
  proc.put(inPod(4, 41, 480, '/usr/bin/node', 'worker.js'))
  proc.put({ ...inPod(5, 52, 590, 'envoy') })
  const second = scanner.scan()
  assert.equal(second.pods[0], first.pods[0])
  assert.equal(second.host, first.host)
  assert.notEqual(second.pods[1], first.pods[1])
  assert.deepEqual(
    second.pods[1]?.containers.map(({ process }) => process),
    ['node', 'envoy'],
  )
})

test('NodeScanner: an ended pod is missing from the next snapshot', (t) => {
  const proc = FakeProc.create(t, ...plainPod(4), ...plainPod(5))
  const scanner = new NodeScanner(proc.root)
  scanner.scan()
  for (const { pid } of plainPod(4)) proc.remove(pid)
  assert.deepEqual(
    scanner.scan().pods.map((pod) => pod.uid),
    [uid(5)],
  )
})

test('NodeScanner: a reused namespace inode does not inherit addresses', (t) => {
  const proc = FakeProc.create(t, ...plainPod(4))
  const scanner = new NodeScanner(proc.root)
  for (let scan = 0; scan < 20; scan += 1) scanner.scan()
  for (const { pid } of plainPod(4)) proc.remove(pid)
  proc.put({ ...inPod(6, 60, 600, 'nginx'), netns: HOST_NETNS + 4 })
  assert.deepEqual(onlyPod(scanner.scan()).addresses, ['10.244.0.6'])
})

test('NodeScanner: a reused pid is another process', (t) => {
  const proc = FakeProc.create(t, ...plainPod(4))
  const scanner = new NodeScanner(proc.root)
  scanner.scan()
  for (const { pid } of plainPod(4)) proc.remove(pid)
  proc.put({ ...inPod(6, 60, 401, 'nginx') })
  assert.deepEqual(
    scanner.scan().pods.map((pod) => [pod.uid, pod.pid]),
    [[uid(6), 401]],
  )
})

test('NodeScanner: notices an exec of a young process in the next scan', (t) => {
  const young = { ...inPod(4, 40, 400, 'sh', '-c', 'exec linkerd2-proxy'), startTicks: 9_999_900 }
  const proc = FakeProc.create(t, young)
  const scanner = new NodeScanner(proc.root)
  assert.equal(onlyPod(scanner.scan()).mesh, null)
  writeFileSync(join(proc.root, '400', 'cmdline'), '/usr/lib/linkerd/linkerd2-proxy\0')
  assert.equal(onlyPod(scanner.scan()).mesh?.name, 'linkerd')
})

test('NodeScanner: notices an exec of an old process within 64 scans', (t) => {
  const proc = FakeProc.create(t, inPod(4, 40, 400, 'sh'))
  const scanner = new NodeScanner(proc.root)
  scanner.scan()
  writeFileSync(join(proc.root, '400', 'cmdline'), 'linkerd2-proxy\0')
  const found = Array.from({ length: 64 }, () => onlyPod(scanner.scan()).mesh?.name)
  assert.equal(found.at(-1), 'linkerd')
})

test('NodeScanner: notices a late interface in the next scan', (t) => {
  const late = inPod(4, 40, 400, '/pause')
  const proc = FakeProc.create(t, { ...late, network: {} })
  const scanner = new NodeScanner(proc.root)
  assert.equal(onlyPod(scanner.scan()).external, null)
  proc.put(late)
  assert.equal(onlyPod(scanner.scan()).external?.name, 'eth0')
})

test('NodeScanner: model: vanishing files never make a scan throw or change other pods', (t) => {
  const proc = FakeProc.create(t, ...plainPod(4))
  const scanner = new NodeScanner(proc.root)
  const untouched = onlyPod(scanner.scan())
  const victims = [...plainPod(5), { ...inPod(6, 60, 600, 'kube-proxy'), netns: HOST_NETNS }]
  const loss = fc.tuple(fc.nat(victims.length - 1), fc.constantFrom('', 'ns', 'net', ...PROCESS_FILES))
  fc.assert(
    fc.property(fc.array(loss, { maxLength: 6 }), (losses) => {
      proc.put(...victims)
      for (const [index, file] of losses) proc.remove(victims[index].pid, file)
      for (const snapshot of [scanner.scan(), new NodeScanner(proc.root).scan()]) {
        assert.deepEqual(
          snapshot.pods.find((pod) => pod.uid === uid(4)),
          untouched,
        )
      }
    }),
    { numRuns: 60 },
  )
})

test('NodeScanner: a folder that is not proc is a configuration error', () => {
  assert.throws(
    () => new NodeScanner('/nowhere').scan(),
    (error) => error instanceof InterceptorError && error.exitCode === EXIT_USAGE && /\/nowhere/.test(error.message),
  )
})

test('NodeScanner: a proc without pid 1 is a missing privilege', (t) => {
  const proc = FakeProc.create(t, ...plainPod(4))
  proc.remove(1)
  assert.throws(
    () => new NodeScanner(proc.root).scan(),
    (error) => error instanceof InterceptorError && error.exitCode === EXIT_PRIVILEGE && /pid 1/.test(error.message),
  )
})
