/** The rules that discovery decides by, and its decisions. */
import type { CaptureTarget } from '../../target/capture-target.ts'
import type { KnownPod } from '../kubernetes/known-pod.ts'
import type { MeshDecision } from '../proc/mesh.ts'
import type { OwnPod } from '../proc/own-pod.ts'
import type { Pod } from '../proc/snapshot.ts'
import type { ExclusionReason, SelectionRules } from './selection.ts'

/** The configured rules. */
export interface TargetRules extends SelectionRules {
  /** Where the host's /proc is mounted. */
  readonly procRoot: string
  /** TCP ports that are never captured. */
  readonly excludePorts: readonly number[]
  /** The port on which this process serves metrics on the host; null: none. */
  readonly adminPort: number | null
  /** Interfaces of the host that are captured even if no pod uses the host's network. */
  readonly hostInterfaces: readonly string[]
  readonly own: OwnPod
}

/** Where a pod's traffic is captured. */
export interface CapturePoint {
  /** host: the host's interfaces, which are captured once for all pods that share them. */
  readonly scope: 'pod' | 'loopback' | 'host'
  readonly interface: string
  /** TCP ports that are not captured. */
  readonly excludePorts: readonly number[]
}

/** Why a pod is captured where it is (the first three), or why it is not captured. */
export type DecisionReason = 'interface' | 'loopback' | 'host' | 'ownPod' | 'sandbox' | 'noInterface' | ExclusionReason

/** The decision about one pod. */
export interface PodDecision {
  readonly pod: Pod
  /** null: the API server has not reported it. */
  readonly known: KnownPod | null
  readonly mesh: MeshDecision | null
  readonly ambient: boolean
  /** null: it is not captured. */
  readonly capture: CapturePoint | null
  /** `why` as a single word, for metrics. */
  readonly reason: DecisionReason
  /** Why it is captured there, or not at all: one sentence without a full stop. */
  readonly why: string
}

/** The decisions about a node. */
export interface Decisions {
  /** In the snapshot's order. */
  readonly pods: readonly PodDecision[]
  /** One for each key. */
  readonly targets: readonly CaptureTarget[]
}
