/** A pod out of its processes and its network. Pure. */
import { decideMesh, MESH_TITLES, type MeshDecision } from './mesh.ts'
import type { NetworkFacts } from './network.ts'
import { isPause, type ProcessFacts } from './process.ts'
import { sandboxReason } from './sandbox.ts'
import type { CapturePoint, Container, Host, Pod } from './snapshot.ts'

/** Everything a pod is made of. */
export interface PodParts {
  readonly uid: string
  /** Its processes in all namespaces, at least one. */
  readonly all: readonly ProcessFacts[]
  /** Those in its network namespace, at least one. */
  readonly members: readonly ProcessFacts[]
  /** null: its last process has just ended. */
  readonly network: NetworkFacts | null
  readonly host: Host
}

/** Where a pod is captured, and why there or nowhere. */
type Decision = Pick<Pod, 'capture' | 'why'>

export function describePod({ uid, all, members, network, host }: PodParts): Pod {
  const holder = members.find(isPause) ?? oldest(members)
  const hostNetwork = holder.netns === host.netns
  const programs = members.filter((process) => !isPause(process))
  const mesh = decideMesh(programs)
  const sandbox = sandboxReason(all)
  const decision = sandbox !== null ? notCaptured(sandbox) : hostNetwork ? onHost(host) : inPod(mesh, network)
  return {
    uid,
    ...hints(members, hostNetwork),
    containers: containersOf(programs),
    pid: holder.pid,
    netns: holder.netns,
    hostNetwork,
    addresses: hostNetwork ? host.addresses : (network?.addresses ?? []),
    interfaces: hostNetwork ? [] : (network?.interfaces ?? []),
    mesh: mesh === null ? null : { name: mesh.name, role: mesh.role },
    ...decision,
  }
}

/** The process that started first; of several in one tick the one with the lowest pid. */
export const oldest = (processes: readonly ProcessFacts[]): ProcessFacts =>
  processes.reduce((first, process) => (isOlder(process, first) ? process : first))

const isOlder = (left: ProcessFacts, right: ProcessFacts): boolean =>
  left.startTicks < right.startTicks || (left.startTicks === right.startTicks && left.pid < right.pid)

const notCaptured = (why: string): Decision => ({ capture: null, why })

function onHost(host: Host): Decision {
  if (host.interface === null) return notCaptured('host network, and the host has no interface with an address')
  const capture: CapturePoint = { scope: 'host', interface: host.interface, excludePorts: [] }
  return { capture, why: 'host network: the host’s interfaces are captured once for all' }
}

function inPod(mesh: MeshDecision | null, network: NetworkFacts | null): Decision {
  if (mesh?.role === 'sidecar') {
    const capture: CapturePoint = { scope: 'pod', interface: 'lo', excludePorts: mesh.ownPorts }
    return { capture, why: `${MESH_TITLES[mesh.name]} sidecar: traffic is in plaintext on loopback` }
  }
  const external = network?.external ?? null
  if (external === null) return notCaptured('no interface beside loopback has an address or a route')
  const capture: CapturePoint = { scope: 'pod', interface: external.name, excludePorts: [] }
  const reason = external.by === 'default-route' ? 'its default route' : 'no default route: first interface in use'
  const before = mesh === null ? 'no mesh' : `${MESH_TITLES[mesh.name]} gateway, no application behind it`
  return { capture, why: `${before}; ${reason}` }
}

/** Where containers disagree, the oldest process that says something wins. */
function hints(members: readonly ProcessFacts[], hostNetwork: boolean): Pick<Pod, 'nameHint' | 'namespaceHint'> {
  const inOrder = [...members].sort((left, right) => (isOlder(left, right) ? -1 : 1)).map((process) => process.hints)
  const first = (pick: (hint: ProcessFacts['hints']) => string | null) =>
    inOrder.map(pick).find((found) => found !== null) ?? null
  const hostName = hostNetwork ? null : first((hint) => hint.hostName)
  return { nameHint: first((hint) => hint.podName) ?? hostName, namespaceHint: first((hint) => hint.namespace) }
}

/** In the order in which they started. */
function containersOf(programs: readonly ProcessFacts[]): Container[] {
  const mains = new Map<string, ProcessFacts>()
  for (const process of programs) {
    const id = process.cgroup.containerId
    if (id === null) continue
    const main = mains.get(id)
    if (main === undefined || isOlder(process, main)) mains.set(id, process)
  }
  const inOrder = [...mains].sort(([, left], [, right]) => (isOlder(left, right) ? -1 : 1))
  return inOrder.map(([id, { pid, name, cgroup }]) => ({ id, runtime: cgroup.runtime, pid, process: name }))
}
