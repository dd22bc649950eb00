/**
 * What one pass of discovery found. Immutable. What did not change since the pass before is the same object, so two
 * snapshots are compared by reference.
 */
import type { ContainerRuntime } from './cgroup.ts'
import type { MeshName } from './mesh.ts'

/** The node as its processes show it. */
export interface Snapshot {
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
  readonly addresses: readonly string[]
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
  /** Inode of its network namespace. */
  readonly netns: number
  readonly hostNetwork: boolean
  readonly addresses: readonly string[]
  /** Interfaces of its namespace; none listed with the host's network. */
  readonly interfaces: readonly string[]
  readonly mesh: { readonly name: MeshName; readonly role: 'sidecar' | 'gateway' } | null
  /** null: it is not captured. */
  readonly capture: CapturePoint | null
  /** Why it is captured there, or not at all. One sentence, without a full stop. */
  readonly why: string
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

/** Where a pod's traffic is read. */
export interface CapturePoint {
  /** host: the host's namespace, whose interfaces are captured once for all pods that share it. */
  readonly scope: 'pod' | 'host'
  readonly interface: string
  /** TCP ports left out. */
  readonly excludePorts: readonly number[]
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
