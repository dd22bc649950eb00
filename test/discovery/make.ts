/** Pods as the two sources of discovery report them, for tests of the decisions about them. */
import type { TargetRules } from '../../src/discovery/decide/decision.ts'
import type { KnownContainer, KnownPod } from '../../src/discovery/kubernetes/known-pod.ts'
import type { MeshDecision } from '../../src/discovery/proc/mesh.ts'
import { MESH_PORTS } from '../../src/discovery/proc/mesh.ts'
import type { Pod, Snapshot } from '../../src/discovery/proc/snapshot.ts'

export const HOST = {
  netns: 1000,
  interface: 'eth0',
  addresses: ['192.0.2.2'],
  allAddresses: ['192.0.2.2', '10.244.0.1'],
  hopLimit: 64,
}

/** A pod found in /proc, identified by `uid`. */
export const procPod = (uid: string, changes: Partial<Pod> = {}): Pod => ({
  uid,
  nameHint: null,
  namespaceHint: null,
  containers: [],
  pid: 4211,
  startTicks: 100,
  netns: 2000,
  hostNetwork: false,
  addresses: ['10.244.0.7'],
  interfaces: ['lo', 'eth0'],
  external: { name: 'eth0', by: 'default-route' },
  further: [],
  applications: [],
  listeners: [],
  mesh: null,
  sandbox: null,
  ...changes,
})

export const onHost = (uid: string, changes: Partial<Pod> = {}): Pod =>
  procPod(uid, { hostNetwork: true, netns: HOST.netns, addresses: HOST.addresses, interfaces: [], ...changes })

export const snapshotOf = (pods: readonly Pod[], changes: Partial<Snapshot> = {}): Snapshot => ({
  uptimeTicks: 1000,
  processes: pods.length,
  denied: 0,
  networkNamespaces: pods.length,
  host: HOST,
  ambient: false,
  pods,
  others: [],
  ...changes,
})

/** A pod of the API server, named after its uid. */
export const knownPod = (uid: string, changes: Partial<KnownPod> = {}): KnownPod => ({
  uid,
  cgroupUid: uid,
  name: uid,
  namespace: 'shop',
  labels: {},
  annotations: {},
  addresses: ['10.244.0.7'],
  hostAddresses: [],
  hostNetwork: false,
  phase: 'Running',
  createdMicros: null,
  startMicros: null,
  deletionMicros: null,
  containers: [container('app')],
  owner: null,
  workload: null,
  ...changes,
})

/** Listeners that others can reach. */
export const listening = (...ports: number[]): Pod['listeners'] =>
  ports.map((port) => ({ port, loopbackOnly: false, podUid: null, containerId: null }))

export const container = (name: string, changes: Partial<KnownContainer> = {}): KnownContainer => ({
  name,
  role: 'app',
  ports: [],
  tlsPorts: [],
  args: [],
  id: null,
  ...changes,
})

export const sidecar = (name: MeshDecision['name']): MeshDecision => ({ name, role: 'sidecar', ...MESH_PORTS[name] })

export const rulesWith = (changes: Partial<TargetRules> = {}): TargetRules => ({
  include: [],
  exclude: [],
  matchesLabels: null,
  procRoot: '/host/proc',
  excludePorts: [],
  adminPort: null,
  hostInterfaces: [],
  interfaceRules: [],
  own: { uid: null, name: null, namespace: null, netns: null },
  ...changes,
})
