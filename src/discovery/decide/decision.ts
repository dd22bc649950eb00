/** The rules that discovery decides by, and its decisions. */
import type { CaptureTarget } from '../../target/capture-target.ts'
import type { Bypass } from '../../target/interface-info.ts'
import type { KnownPod } from '../kubernetes/known-pod.ts'
import type { MeshDecision, MeshName } from '../proc/mesh.ts'
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
  /** The first rule that matches a pod applies. */
  readonly interfaceRules: readonly InterfaceRule[]
  readonly own: OwnPod
}

/** Chooses the interfaces on which pods are captured, in place of the default. */
export interface InterfaceRule {
  readonly matches: (known: KnownPod) => boolean
  /** Names or globs; `lo`: loopback; `pod`: the external interface. */
  readonly interfaces: readonly string[]
}

/** What is known of a pod. */
export interface PodFacts {
  readonly pod: Pod
  /** null: the API server has not reported it. */
  readonly known: KnownPod | null
  readonly mesh: MeshDecision | null
  /** Whether it is in Istio's ambient mode; false if unknown. */
  readonly ambient: boolean
}

/** An interface on which a pod's traffic is captured. */
export interface CapturePoint {
  /** host: the host's interfaces, which are captured once for all pods that share them. */
  readonly scope: 'pod' | 'loopback' | 'host'
  readonly interface: string
  /** The mesh of the traffic seen here; null: none. */
  readonly mesh: MeshName | null
  /** TCP ports that are not captured. */
  readonly excludePorts: readonly number[]
  /** Loopback: ports on which a mesh's proxy accepts the application's outgoing requests. */
  readonly outboundPorts: readonly number[]
  /** The only connections that are captured, because all others pass another capture point; null: all. */
  readonly bypass: Bypass | null
}

/** How a pod's capture points were chosen: by default (the first three) or explicitly. */
export type PlacementReason = 'interface' | 'loopback' | 'host' | 'annotation' | 'rule'

/** Why a pod is captured where it is, or why it is not captured. */
export type DecisionReason = PlacementReason | 'ownPod' | 'sandbox' | 'noInterface' | ExclusionReason

/** The decision about one pod. */
export interface PodDecision extends PodFacts {
  /** Empty: it is not captured. */
  readonly captures: readonly CapturePoint[]
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
