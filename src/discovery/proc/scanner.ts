/**
 * Finds the node's pods from the host's processes alone: it queries neither an API server nor a container runtime, enters
 * no namespace and starts no process. Main thread; a scan is synchronous.
 */
import { privilegeError, usageError } from '../../errors.ts'
import { describePod, oldest, type PodParts } from './describe-pod.ts'
import { sameItems, sameValue } from './equality.ts'
import { InterfaceCache } from './interface-cache.ts'
import { type Listener, ListenerTable } from './listener-table.ts'
import { ProcFiles } from './proc-files.ts'
import { HOST_PID, isPause, type ProcessFacts, readHostNetns } from './process.ts'
import { ProcessTable } from './process-table.ts'
import type { Host, OtherNamespace, Pod, Snapshot } from './snapshot.ts'

const PTRACE_HINT =
  'Grant the capability SYS_PTRACE (securityContext.capabilities.add) and an AppArmor profile that allows it, such as ' +
  'Unconfined. Outside of Kubernetes, run it as root.'

/** Owner of the host's namespace, in place of a pod's uid. */
const HOST_OWNER = 'host'
/** Linux's default (IPDEFTTL). */
const DEFAULT_HOP_LIMIT = 64

/** A pod of the last scan, with the inputs of its description. */
interface Described {
  readonly parts: PodParts
  readonly pod: Pod
}

/** Scans one node repeatedly. Whatever has not changed since the previous scan is the same object. */
export class NodeScanner {
  readonly #files: ProcFiles
  readonly #processes: ProcessTable
  readonly #interfaces: InterfaceCache
  readonly #listeners: ListenerTable
  #described = new Map<string, Described>()
  #others = new Map<number, OtherNamespace>()
  #host: Host | null = null

  /** @param procRoot where the host's /proc is mounted (`targets.procRoot`) */
  constructor(procRoot: string) {
    this.#files = new ProcFiles(procRoot)
    this.#processes = new ProcessTable(this.#files)
    this.#interfaces = new InterfaceCache(this.#files)
    this.#listeners = new ListenerTable(this.#files)
  }

  /**
   * Scans once.
   *
   * @throws InterceptorError: EXIT_USAGE when procRoot is not a proc filesystem; EXIT_PRIVILEGE when the namespace of the host's first
   *   process, or of most processes, cannot be read. Processes that exit during the scan are not an error.
   */
  scan(): Snapshot {
    const listed = this.#files.processes()
    if (typeof listed === 'symbol' || typeof this.#files.read('uptime') !== 'string') throw noProc(this.#files.root)
    const hostNetns = readHostNetns(this.#files, listed)
    if (typeof hostNetns === 'symbol') throw cannotRead(`pid ${HOST_PID} in ${this.#files.root}`)
    const { facts, denied, uptimeTicks } = this.#processes.refresh(listed, hostNetns)
    if (denied > facts.length) throw cannotRead(`${denied} of ${denied + facts.length} processes`)
    this.#interfaces.beginScan()
    this.#listeners.beginScan()
    const host = this.#describeHost(hostNetns)
    const namespaces = groupBy(facts, ({ netns }) => netns)
    const pods = this.#describePods(facts, namespaces, host)
    return {
      uptimeTicks,
      processes: facts.length,
      denied,
      networkNamespaces: namespaces.size,
      host,
      ambient: facts.some(({ name, cgroup }) => name === 'ztunnel' && cgroup.podUid !== null),
      pods,
      others: this.#describeOthers(namespaces, pods, hostNetns),
    }
  }

  #describeHost(netns: number): Host {
    const network = this.#interfaces.read(netns, HOST_OWNER, [HOST_PID])
    const host: Host = {
      netns,
      interface: network?.external?.name ?? null,
      addresses: network?.externalAddresses ?? [],
      allAddresses: network?.interfaceAddresses ?? [],
      hopLimit: this.#readHopLimit(),
    }
    if (this.#host === null || !sameValue(this.#host, host)) this.#host = host
    return this.#host
  }

  /**
   * /proc/sys/net shows this process's network namespace. It is the host's or, in a container, one with the default that
   * the host most likely has too.
   */
  #readHopLimit(): number {
    const text = this.#files.read('sys/net/ipv4/ip_default_ttl')
    return (typeof text === 'string' && Number.parseInt(text, 10)) || DEFAULT_HOP_LIMIT
  }

  #describePods(facts: readonly ProcessFacts[], namespaces: Map<number, ProcessFacts[]>, host: Host): Pod[] {
    const byUid = groupBy(
      facts.filter((process) => process.cgroup.podUid !== null && !process.isRuntimeHelper),
      ({ cgroup }) => cgroup.podUid!,
    )
    const members = new Map<string, ProcessFacts[]>()
    for (const [uid, all] of byUid) members.set(uid, membersOf(uid, all, namespaces, host))
    const hostProcesses = [...members.values()].flat().filter(({ netns }) => netns === host.netns)
    const hostListeners = this.#listeners.read(host.netns, HOST_PID, hostProcesses)
    const described = new Map<string, Described>()
    for (const [uid, all] of byUid) {
      const own = members.get(uid) ?? all
      const [{ netns, pid }] = own
      const onHost = netns === host.netns
      const network = onHost ? null : this.#interfaces.read(netns, uid, pidsOf(own))
      const listeners = onHost ? hostListeners.filter(isOf(uid)) : this.#listeners.read(netns, pid, own)
      described.set(uid, this.#describe({ uid, all, members: own, network, host, listeners }))
    }
    this.#described = described
    return [...described.keys()].sort().map((uid) => described.get(uid)!.pod)
  }

  /** Reuses the last description if the parts are the same, or if they result in an equal pod. */
  #describe(parts: PodParts): Described {
    const before = this.#described.get(parts.uid)
    if (before !== undefined && sameParts(before.parts, parts)) return before
    const pod = describePod(parts)
    return { parts, pod: before !== undefined && sameValue(before.pod, pod) ? before.pod : pod }
  }

  #describeOthers(namespaces: Map<number, ProcessFacts[]>, pods: readonly Pod[], hostNetns: number): OtherNamespace[] {
    const known = new Set([hostNetns, ...pods.map(({ netns }) => netns)])
    const others = new Map<number, OtherNamespace>()
    for (const [netns, members] of namespaces) {
      if (known.has(netns)) continue
      const other = describeOther(netns, members)
      const before = this.#others.get(netns)
      others.set(netns, before !== undefined && sameValue(before, other) ? before : other)
    }
    this.#others = others
    return [...others.values()].sort((left, right) => left.netns - right.netns)
  }
}

const isOf = (uid: string) => (listener: Listener) => listener.podUid === uid

const sameParts = (left: PodParts, right: PodParts): boolean =>
  left.network === right.network &&
  left.host === right.host &&
  sameItems(left.listeners, right.listeners) &&
  sameItems(left.all, right.all) &&
  sameItems(left.members, right.members)

/** The processes in the pod's network namespace, at least one. */
function membersOf(
  uid: string,
  all: readonly ProcessFacts[],
  namespaces: ReadonlyMap<number, ProcessFacts[]>,
  host: Host,
): ProcessFacts[] {
  const { netns } = all.find(isPause) ?? oldest(all)
  // Every process in the pod's own namespace belongs to the pod, even if its cgroup does not name a pod.
  const here = netns === host.netns ? all : namespaces.get(netns)!
  return here.filter((process) => belongs(process, uid, netns))
}

/** Whether a process belongs to the pod: those in its namespace do unless their cgroup names another pod. */
function belongs(process: ProcessFacts, uid: string, netns: number): boolean {
  const { podUid } = process.cgroup
  return process.netns === netns && (podUid === uid || podUid === null) && !process.isRuntimeHelper
}

function describeOther(netns: number, members: readonly ProcessFacts[]): OtherNamespace {
  const main = oldest(members)
  const ids = members.flatMap(({ cgroup }) => cgroup.containerId ?? [])
  return { netns, pid: main.pid, process: main.name, containers: [...new Set(ids)], why: reasonOfOther(members) }
}

/** Why a namespace is not attributed to a pod. */
function reasonOfOther(members: readonly ProcessFacts[]): string {
  const uid = members.find(({ cgroup }) => cgroup.podUid !== null)?.cgroup.podUid
  if (uid !== undefined) return `a second namespace of pod ${uid}: its traffic passes through the pod’s own interface`
  const contained = members.some(({ cgroup }) => cgroup.containerId !== null)
  return contained ? 'a container that belongs to no pod' : 'not in a container'
}

function noProc(root: string) {
  const hint =
    'Set targets.procRoot or --proc. In a container, mount the host’s /proc read-only and give its mount path.'
  return usageError(`no proc filesystem at ${root}`, { hint })
}

/** @param whose such as `pid 1 of /proc` */
function cannotRead(whose: string) {
  return privilegeError(`cannot read the network namespace of ${whose}`, { hint: PTRACE_HINT })
}

function* pidsOf(processes: readonly ProcessFacts[]): Iterable<number> {
  for (const { pid } of processes) yield pid
}

function groupBy<K, T>(items: readonly T[], key: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>()
  for (const item of items) {
    const group = groups.get(key(item))
    if (group === undefined) groups.set(key(item), [item])
    else group.push(item)
  }
  return groups
}
