/** What is to be captured: the rules, and what was decided by them. */
import type { CaptureTarget } from '../../target/capture-target.ts'
import type { KnownPod } from '../kubernetes/known-pod.ts'
import type { MeshDecision } from '../proc/mesh.ts'
import type { OwnPod } from '../proc/own-pod.ts'
import type { Pod } from '../proc/snapshot.ts'
import type { SelectionRules } from './selection.ts'

/** What is captured at all, as configured. */
export interface TargetRules extends SelectionRules {
  /** Where the host's /proc is mounted. */
  readonly procRoot: string
  /** TCP ports left out everywhere. */
  readonly excludePorts: readonly number[]
  /** Where this process serves metrics, on the host; null: nowhere. */
  readonly adminPort: number | null
  /** Interfaces of the host that are captured even where no pod has its network. */
  readonly hostInterfaces: readonly string[]
  readonly own: OwnPod
}

/** Where a pod's traffic is read. */
export interface CapturePoint {
  /** host: the host's interfaces, which are captured once for all pods that share them. */
  readonly scope: 'pod' | 'loopback' | 'host'
  readonly interface: string
  /** TCP ports left out. */
  readonly excludePorts: readonly number[]
}

/** Why a pod is captured where it is (the first three), or not at all. */
export type DecisionReason =
  | 'interface'
  | 'loopback'
  | 'host'
  | 'ownPod'
  | 'sandbox'
  | 'annotation'
  | 'namespace'
  | 'labels'
  | 'unknown'
  | 'noInterface'

/** What was decided about one pod. */
export interface PodDecision {
  readonly pod: Pod
  /** null: the API server has not told of it. */
  readonly known: KnownPod | null
  readonly mesh: MeshDecision | null
  readonly ambient: boolean
  /** null: it is not captured. */
  readonly capture: CapturePoint | null
  /** The same as `why` in one word, for metrics. */
  readonly reason: DecisionReason
  /** Why it is captured there, or not at all. One sentence, without a full stop. */
  readonly why: string
}

export interface Decisions {
  /** In the snapshot's order. */
  readonly pods: readonly PodDecision[]
  /** One for each key. */
  readonly targets: readonly CaptureTarget[]
}
