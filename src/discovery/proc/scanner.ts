/**
 * Discovery from the host's processes: no API server, no container runtime is asked, no namespace is entered and no
 * process started. Main thread; a pass is synchronous.
 */
import { privilegeError, usageError } from '../../errors.ts'
import { describePod, oldest, type PodParts } from './describe-pod.ts'
import { HOST_PID, readHostNetns } from './host-netns.ts'
import { ListenerTable } from './listeners.ts'
import { NetworkTable } from './namespace-table.ts'
import { ProcFiles } from './proc-files.ts'
import { isPause, type ProcessFacts } from './process.ts'
import { ProcessTable } from './process-table.ts'
import type { Host, OtherNamespace, Pod, Snapshot } from './snapshot.ts'

const PTRACE_HINT =
  'Grant the capability SYS_PTRACE (securityContext.capabilities.add), and an AppArmor profile that allows it, such as ' +
  'Unconfined. On a machine of your own, run it as root.'

/** In place of a pod's uid. */
const HOST_OWNER = 'host'
/** Linux's, where nothing else is set (IPDEFTTL). */
const USUAL_HOP_LIMIT = 64
const NO_PORTS: readonly number[] = []

/** A pod of the last pass with what it was made of. */
interface Remembered {
  readonly parts: PodParts
  readonly pod: Pod
}

/** Scans one node again and again. */
export class NodeScanner {
  readonly #files: ProcFiles
  readonly #processes: ProcessTable
  readonly #networks: NetworkTable
  readonly #listeners: ListenerTable
  #remembered = new Map<string, Remembered>()
  #others = new Map<number, OtherNamespace>()
  #host: Host | null = null

  /** @param procRoot where the host's /proc is mounted (`targets.procRoot`) */
  constructor(procRoot: string) {
    this.#files = new ProcFiles(procRoot)
    this.#processes = new ProcessTable(this.#files)
    this.#networks = new NetworkTable(this.#files)
    this.#listeners = new ListenerTable(this.#files)
  }

  /**
   * One pass.
   *
   * @throws InterceptorError: exit 2 when procRoot is no proc filesystem; exit 4 when the host's first process or most
   *   processes do not show their namespace, so that nothing can be told. Processes that end meanwhile are no error.
   */
  scan(): Snapshot {
    const listed = this.#files.processes()
    if (typeof listed === 'symbol' || typeof this.#files.read('uptime') !== 'string') throw noProc(this.#files.root)
    const hostNetns = readHostNetns(this.#files, listed)
    if (typeof hostNetns === 'symbol') throw cannotRead(`pid ${HOST_PID} of ${this.#files.root} does not`)
    const { facts, denied, uptimeTicks } = this.#processes.refresh(listed, hostNetns)
    if (denied > facts.length) throw cannotRead(`${denied} of ${denied + facts.length} processes do not`)
    this.#networks.begin()
    const host = this.#lookAtHost(hostNetns)
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

  #lookAtHost(netns: number): Host {
    const network = this.#networks.look(netns, HOST_OWNER, [HOST_PID])
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

  /** Of our own network namespace, which is the host's, or one that nobody has changed. */
  #readHopLimit(): number {
    const text = this.#files.read('sys/net/ipv4/ip_default_ttl')
    return (typeof text === 'string' && Number.parseInt(text, 10)) || USUAL_HOP_LIMIT
  }

  #describePods(facts: readonly ProcessFacts[], namespaces: Map<number, ProcessFacts[]>, host: Host): Pod[] {
    const byUid = groupBy(
      facts.filter((process) => process.cgroup.podUid !== null && !process.isRuntimeHelper),
      ({ cgroup }) => cgroup.podUid!,
    )
    const members = new Map<string, ProcessFacts[]>()
    for (const [uid, all] of byUid) members.set(uid, membersOf(uid, all, namespaces, host))
    const onHost = new Map([...members].filter(([, processes]) => processes[0]?.netns === host.netns))
    const listeners = this.#listeners.look(HOST_PID, onHost)
    const remembered = new Map<string, Remembered>()
    for (const [uid, all] of byUid) {
      const own = members.get(uid)!
      const netns = own[0].netns
      const network = netns === host.netns ? null : this.#networks.look(netns, uid, pidsOf(own))
      const listens = listeners.get(uid) ?? NO_PORTS
      remembered.set(uid, this.#describe({ uid, all, members: own, network, host, listens }))
    }
    this.#remembered = remembered
    return [...remembered.keys()].sort().map((uid) => remembered.get(uid)!.pod)
  }

  /** The pod as it was, when it is made of the same; or when what it is made of comes to the same. */
  #describe(parts: PodParts): Remembered {
    const before = this.#remembered.get(parts.uid)
    if (before !== undefined && sameParts(before.parts, parts)) return before
    const pod = describePod(parts)
    return { parts, pod: before !== undefined && sameValue(before.pod, pod) ? before.pod : pod }
  }

  #describeOthers(namespaces: Map<number, ProcessFacts[]>, pods: readonly Pod[], hostNetns: number): OtherNamespace[] {
    const taken = new Set([hostNetns, ...pods.map(({ netns }) => netns)])
    const others = new Map<number, OtherNamespace>()
    for (const [netns, members] of namespaces) {
      if (taken.has(netns)) continue
      const other = describeOther(netns, members)
      const before = this.#others.get(netns)
      others.set(netns, before !== undefined && sameValue(before, other) ? before : other)
    }
    this.#others = others
    return [...others.values()].sort((left, right) => left.netns - right.netns)
  }
}

const sameParts = (left: PodParts, right: PodParts): boolean =>
  left.network === right.network &&
  left.host === right.host &&
  left.listens === right.listens &&
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
  // In a namespace of the pod's own, whatever runs there is the pod's, also where its cgroup does not tell.
  const here = netns === host.netns ? all : namespaces.get(netns)!
  return here.filter((process) => belongs(process, uid, netns))
}

/** A process of a namespace of the pod's own is the pod's unless its cgroup tells otherwise. */
function belongs(process: ProcessFacts, uid: string, netns: number): boolean {
  const { podUid } = process.cgroup
  return process.netns === netns && (podUid === uid || podUid === null) && !process.isRuntimeHelper
}

function describeOther(netns: number, members: readonly ProcessFacts[]): OtherNamespace {
  const main = oldest(members)
  const ids = members.flatMap(({ cgroup }) => cgroup.containerId ?? [])
  return { netns, pid: main.pid, process: main.name, containers: [...new Set(ids)], why: whyNot(members) }
}

/** Why a namespace is no pod's. */
function whyNot(members: readonly ProcessFacts[]): string {
  const uid = members.find(({ cgroup }) => cgroup.podUid !== null)?.cgroup.podUid
  if (uid !== undefined) return `a second namespace of pod ${uid}: its traffic leaves through the pod’s own`
  const contained = members.some(({ cgroup }) => cgroup.containerId !== null)
  return contained ? 'a container, but of no pod' : 'in no container'
}

function noProc(root: string) {
  const hint =
    'It is targets.procRoot, or --proc. In a container mount the host’s /proc, read-only, and name the place.'
  return usageError(`no proc filesystem at ${root}`, { hint })
}

/** @param who with its verb: `pid 1 of /proc does not` */
function cannotRead(who: string) {
  return privilegeError(`${who} show the network namespace to this process`, { hint: PTRACE_HINT })
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

const sameItems = (left: readonly unknown[], right: readonly unknown[]): boolean =>
  left.length === right.length && left.every((item, index) => item === right[index])

const sameValue = (left: unknown, right: unknown): boolean => JSON.stringify(left) === JSON.stringify(right)
