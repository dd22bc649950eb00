/**
 * What one pass of discovery found. Immutable. What did not change since the pass before is the same object, so two
 * snapshots are compared by reference.
 */
import type { ContainerRuntime } from './cgroup.ts'
import type { MeshDecision } from './mesh.ts'
import type { ExternalInterface } from './namespace-network.ts'

/** The node as its processes show it. */
export interface Snapshot {
  /** How long the host had been up, on the clock of start times. Ticks of 10 ms. */
  readonly uptimeTicks: number
  /** Processes that could be read. */
  readonly processes: number
  /** Processes whose namespaces could not be read: CAP_SYS_PTRACE is missing, or AppArmor forbids it. */
  readonly denied: number
  /** Network namespaces that these processes are in, the host's among them. */
  readonly networkNamespaces: number
  readonly host: Host
  /** Whether ztunnel, the node's proxy of Istio's ambient mode, runs here. */
  readonly ambient: boolean
  /** By uid, in ascending order. */
  readonly pods: readonly Pod[]
  /** Network namespaces beside the host's and the pods', in ascending order. */
  readonly others: readonly OtherNamespace[]
}

/** The host's network namespace: pid 1's. */
export interface Host {
  /** Inode of the namespace. */
  readonly netns: number
  /** The interface of its default route. */
  readonly interface: string | null
  /** Those in a network of that interface. */
  readonly addresses: readonly string[]
  /** Those of all its interfaces, without the addresses of Services. */
  readonly allAddresses: readonly string[]
  /** TTL that packets of its own sockets begin with. */
  readonly hopLimit: number
}

/** A pod. It is the same one in another snapshot when `uid` and `netns` are the same. */
export interface Pod {
  /** As Kubernetes writes it; of a static pod the 32 digits that its mirror has as `kubernetes.io/config.hash`. */
  readonly uid: string
  /** What its processes' environment calls it; hints, since the environment may say anything. */
  readonly nameHint: string | null
  readonly namespaceHint: string | null
  /** Without the pause container. */
  readonly containers: readonly Container[]
  /** A process that is there as long as the pod, where possible: `/proc/<pid>/ns/net` is its namespace. */
  readonly pid: number
  /** When that process started. Ticks of 10 ms since the host did. */
  readonly startTicks: number
  /** Inode of its network namespace. */
  readonly netns: number
  readonly hostNetwork: boolean
  readonly addresses: readonly string[]
  /** Interfaces of its namespace; none listed with the host's network. */
  readonly interfaces: readonly string[]
  /** The one by which its traffic leaves; null: there is none yet. With the host's network the host's. */
  readonly external: ExternalInterface | null
  /** TCP ports its processes listen on, with the host's network only. */
  readonly listens: readonly number[]
  /** As its processes tell. */
  readonly mesh: MeshDecision | null
  /** Why its traffic is out of the host's sight, such as a virtual machine; null: it is not. */
  readonly sandbox: string | null
}

export interface Container {
  /** 64 hexadecimal digits. */
  readonly id: string
  readonly runtime: ContainerRuntime | null
  /** Its oldest process. */
  readonly pid: number
  /** That process's program. */
  readonly process: string
}

/** A network namespace that is not captured, having no pod of its own. */
export interface OtherNamespace {
  readonly netns: number
  /** Its oldest process. */
  readonly pid: number
  readonly process: string
  /** Ids of the containers in it. */
  readonly containers: readonly string[]
  readonly why: string
}
