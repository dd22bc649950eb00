/**
 * The result of one scan of /proc. Immutable. Whatever did not change since the scan before is the same object, so two
 * snapshots can be compared by reference.
 */
import type { ContainerRuntime } from './cgroup.ts'
import type { ExternalInterface } from './interfaces.ts'
import type { Listener } from './listener-table.ts'
import type { MeshDecision } from './mesh.ts'

/** The node, according to its processes. */
export interface Snapshot {
  /** Time since the host booted, on the clock of start times. Ticks of 10 ms. */
  readonly uptimeTicks: number
  /** Processes that could be read. */
  readonly processes: number
  /** Processes whose namespaces could not be read: CAP_SYS_PTRACE is missing, or AppArmor denies it. */
  readonly denied: number
  /** Network namespaces of these processes, including the host's. */
  readonly networkNamespaces: number
  readonly host: Host
  /** Whether ztunnel, the node proxy of Istio's ambient mode, runs here. */
  readonly ambient: boolean
  /** By uid, ascending. */
  readonly pods: readonly Pod[]
  /** Network namespaces other than the host's and the pods', ascending. */
  readonly others: readonly OtherNamespace[]
}

/** The host's network namespace: that of pid 1. */
export interface Host {
  /** Inode of the namespace. */
  readonly netns: number
  /** The interface of its default route. */
  readonly interface: string | null
  /** Its addresses within a network of that interface. */
  readonly addresses: readonly string[]
  /** The addresses of all its interfaces, without those of Services. */
  readonly allAddresses: readonly string[]
  /** The TTL of packets that its own sockets send. */
  readonly hopLimit: number
}

/** A pod. Pods of two snapshots are the same pod if `uid` and `netns` are equal. */
export interface Pod {
  /** As Kubernetes writes it; for a static pod the 32 digits of its mirror pod's `kubernetes.io/config.hash`. */
  readonly uid: string
  /** The name according to its processes' environment. A hint, because the environment can contain anything. */
  readonly nameHint: string | null
  readonly namespaceHint: string | null
  /** Without the pause container. */
  readonly containers: readonly Container[]
  /** Ids of those containers that are not a sidecar of a mesh or of Dapr. */
  readonly applications: readonly string[]
  /** A process that lives as long as the pod, if there is one: `/proc/<pid>/ns/net` is the pod's namespace. */
  readonly pid: number
  /** When that process started. Ticks of 10 ms since the host booted. */
  readonly startTicks: number
  /** Inode of its network namespace. */
  readonly netns: number
  readonly hostNetwork: boolean
  readonly addresses: readonly string[]
  /** Interfaces of its namespace; empty with the host's network. */
  readonly interfaces: readonly string[]
  /** The interface by which its traffic leaves; null: there is none yet. With the host's network, the host's. */
  readonly external: ExternalInterface | null
  /** Further interfaces of its namespace with an address or a route, such as Multus' `net1`. */
  readonly further: readonly string[]
  /** Listening TCP sockets of its namespace, by port; with the host's network, those of its own processes. */
  readonly listeners: readonly Listener[]
  /** The mesh according to its processes. */
  readonly mesh: MeshDecision | null
  /** Why the host cannot see its traffic, for example because it is a virtual machine; null: it can. */
  readonly sandbox: string | null
}

/** TCP ports on which others can reach the pod, ascending. */
export const reachablePorts = ({ listeners }: Pick<Pod, 'listeners'>): number[] => [
  ...new Set(listeners.flatMap(({ port, loopbackOnly }) => (loopbackOnly ? [] : [port]))),
]

/** TCP ports that are listened on only on loopback, ascending. */
export const loopbackPorts = ({ listeners }: Pick<Pod, 'listeners'>): number[] => [
  ...new Set(listeners.flatMap(({ port, loopbackOnly }) => (loopbackOnly ? [port] : []))),
]

export interface Container {
  /** 64 hexadecimal digits. */
  readonly id: string
  readonly runtime: ContainerRuntime | null
  /** Its oldest process. */
  readonly pid: number
  /** The program of that process. */
  readonly process: string
}

/** A network namespace that is not captured because no pod owns it. */
export interface OtherNamespace {
  readonly netns: number
  /** Its oldest process. */
  readonly pid: number
  readonly process: string
  /** Ids of the containers in it. */
  readonly containers: readonly string[]
  readonly why: string
}
