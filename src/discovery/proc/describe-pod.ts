/** Describes a pod from its processes and its network. Pure. */
import type { NetworkFacts } from './interfaces.ts'
import type { Listener } from './listener-table.ts'
import { decideMesh, proxyContainers } from './mesh.ts'
import { isPause, type ProcessFacts } from './process.ts'
import type { Container, Host, Pod } from './snapshot.ts'

/** The program of Dapr's sidecar. */
export const DAPR_SIDECAR = 'daprd'

/** Everything that a pod's description depends on. */
export interface PodParts {
  readonly uid: string
  /** Its processes in all network namespaces, at least one. */
  readonly all: readonly ProcessFacts[]
  /** Those in its own network namespace, at least one. */
  readonly members: readonly ProcessFacts[]
  /** null: its last process has just exited. */
  readonly network: NetworkFacts | null
  readonly host: Host
  /** Listeners of its network namespace; with the host's network, those of its own processes. */
  readonly listeners: readonly Listener[]
}

/** Describes the pod whose pause container, or else oldest process, is in the network namespace of `members`. */
export function describePod({ uid, all, members, network, host, listeners }: PodParts): Pod {
  const holder = members.find(isPause) ?? oldest(members)
  const hostNetwork = holder.netns === host.netns
  const programs = members.filter((process) => !isPause(process))
  return {
    uid,
    ...hints(members, hostNetwork),
    containers: containersOf(programs),
    applications: applicationsOf(programs),
    pid: holder.pid,
    startTicks: holder.startTicks,
    netns: holder.netns,
    hostNetwork,
    addresses: hostNetwork ? host.addresses : (network?.addresses ?? []),
    interfaces: hostNetwork ? [] : (network?.interfaces ?? []),
    external: hostNetwork ? hostInterface(host) : (network?.external ?? null),
    further: hostNetwork ? [] : (network?.further ?? []),
    listeners,
    mesh: decideMesh(programs),
    sandbox: sandboxReason(all),
  }
}

const hostInterface = (host: Host): Pod['external'] =>
  host.interface === null ? null : { name: host.interface, by: 'default-route' }

/** The process that started first; of several in one tick, the one with the lowest pid. */
export const oldest = (processes: readonly ProcessFacts[]): ProcessFacts =>
  processes.reduce((first, process) => (isOlder(process, first) ? process : first))

const isOlder = (left: ProcessFacts, right: ProcessFacts): boolean =>
  left.startTicks < right.startTicks || (left.startTicks === right.startTicks && left.pid < right.pid)

/** If containers disagree, the oldest process with a value wins. */
function hints(members: readonly ProcessFacts[], hostNetwork: boolean): Pick<Pod, 'nameHint' | 'namespaceHint'> {
  const inOrder = [...members].sort((left, right) => (isOlder(left, right) ? -1 : 1)).map((process) => process.hints)
  const first = (pick: (hint: ProcessFacts['hints']) => string | null) =>
    inOrder.map(pick).find((found) => found !== null) ?? null
  const hostName = hostNetwork ? null : first((hint) => hint.hostName)
  return { nameHint: first((hint) => hint.podName) ?? hostName, namespaceHint: first((hint) => hint.namespace) }
}

/** Containers, in the order in which they started. */
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

/** Ids of the containers that are not the sidecar of a mesh or of Dapr. */
function applicationsOf(programs: readonly ProcessFacts[]): string[] {
  const proxies = proxyContainers(programs)
  return containersOf(programs)
    .filter(({ id, process }) => !proxies.has(id) && process !== DAPR_SIDECAR)
    .map(({ id }) => id)
}

const HYPERVISOR = /^(?:qemu-.*|cloud-hypervisor|firecracker|stratovirt)$/

/** Why the host cannot see the pod's traffic; null for an ordinary pod. */
function sandboxReason(processes: readonly ProcessFacts[]): string | null {
  if (processes.some(isKata)) return 'Kata Containers: it runs in a virtual machine, which the host cannot look into'
  if (processes.some(({ name }) => name === 'runsc-sandbox')) return 'gVisor: it has a network stack of its own'
  return null
}

/**
 * Whether the process is Kata's shim, is in Kata's cgroup, or is a hypervisor that Kata started
 * (`qemu-system-x86_64 -name sandbox-<id>,…`). KubeVirt's hypervisors are not Kata's: their guests are ordinary pods.
 */
function isKata({ name, command, cgroup }: ProcessFacts): boolean {
  if (cgroup.kata || name === 'containerd-shim-kata-v2') return true
  return HYPERVISOR.test(name) && /\/kata[/-]|\/vc\/|sandbox-[0-9a-f]{64}/.test(command)
}
