/** A pod out of its processes and its network. Pure. */
import { decideMesh } from './mesh.ts'
import type { NetworkFacts } from './namespace-network.ts'
import { isPause, type ProcessFacts } from './process.ts'
import { sandboxReason } from './sandbox.ts'
import type { Container, Host, Pod } from './snapshot.ts'

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
  /** TCP ports its processes listen on, with the host's network. */
  readonly listens: readonly number[]
}

export function describePod({ uid, all, members, network, host, listens }: PodParts): Pod {
  const holder = members.find(isPause) ?? oldest(members)
  const hostNetwork = holder.netns === host.netns
  const programs = members.filter((process) => !isPause(process))
  return {
    uid,
    ...hints(members, hostNetwork),
    containers: containersOf(programs),
    pid: holder.pid,
    startTicks: holder.startTicks,
    netns: holder.netns,
    hostNetwork,
    addresses: hostNetwork ? host.addresses : (network?.addresses ?? []),
    interfaces: hostNetwork ? [] : (network?.interfaces ?? []),
    external: hostNetwork ? hostInterface(host) : (network?.external ?? null),
    listens,
    mesh: decideMesh(programs),
    sandbox: sandboxReason(all),
  }
}

const hostInterface = (host: Host): Pod['external'] =>
  host.interface === null ? null : { name: host.interface, by: 'default-route' }

/** The process that started first; of several in one tick the one with the lowest pid. */
export const oldest = (processes: readonly ProcessFacts[]): ProcessFacts =>
  processes.reduce((first, process) => (isOlder(process, first) ? process : first))

const isOlder = (left: ProcessFacts, right: ProcessFacts): boolean =>
  left.startTicks < right.startTicks || (left.startTicks === right.startTicks && left.pid < right.pid)

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
