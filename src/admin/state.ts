/**
 * The agent's state that /metrics, /livez and /readyz report. All of it is available on the main thread: counters and
 * heartbeats in shared memory, the rest in its own variables.
 */
import type { ReloadState } from '../config/reload.ts'
import type { Observation } from '../ledger/observation.ts'
import type { PodsPage } from './pod-traffic.ts'

export interface AgentState {
  /** The Kubernetes node's name: `node.name`. */
  readonly node: string
  /** Milliseconds since the agent started. */
  readonly uptimeMs: number
  /** The pipeline; null: its threads have not started yet. */
  readonly observation: Observation | null
  /** The captures of the pods found at the start. */
  readonly start: StartState
  /** Why no pod and no interface is to be captured: a sentence without a full stop; null: something is. */
  readonly nothingCaptured: string | null
  /** null: the first scan has not ended yet. */
  readonly discovery: DiscoveryState | null
  /** Reads the counts of each pod, which costs more than the rest. */
  readonly readPods: () => Pick<PodsPage, 'pods' | 'leftOut'>
  /** One for each watched kind of object; empty without an API server. */
  readonly watches: readonly WatchReport[]
  readonly reload: ReloadState
  /** The unix socket of the tap (docs/tap.md); null: it is not open. */
  readonly tapSocket: string | null
  /** The agent is stopping and finishes what is in the pipeline. */
  readonly draining: boolean
}

/** How far the agent has started. */
export interface StartState {
  /** Interfaces that are being opened. */
  readonly opening: number
  /** Every pod found at the start is captured, or counted as not captured. Stays true. */
  readonly done: boolean
}

/** Totals over all scans, and the result of the last one. */
export interface DiscoveryState {
  /** Scans made, and those of them that failed. */
  readonly scans: number
  readonly failures: number
  /** Duration and CPU time of all scans. */
  readonly scanSeconds: number
  readonly scanCpuSeconds: number
  readonly lastScanSeconds: number
  /** Milliseconds since the end of the last scan. */
  readonly lastScanAgeMs: number
  /** Processes read, and those whose namespaces could not be read. */
  readonly processes: number
  readonly processesDenied: number
  readonly pods: readonly PodTally[]
}

/** The number of pods with the same mesh and decision. */
export interface PodTally {
  /** `none`, `istio`, `linkerd`, `consul`, `kuma`. */
  readonly mesh: string
  readonly captured: boolean
  /** One word of a fixed set; `interceptor pods` shows a sentence. */
  readonly reason: string
  readonly pods: number
}

/** A list-and-watch of the API server. */
export interface WatchReport {
  /** Plural, as in the API: `pods`. */
  readonly resource: string
  /** Whether it has been listed. */
  readonly synced: boolean
  /** Whether the watch is open. */
  readonly connected: boolean
  /** How often the watch was restarted. */
  readonly restarts: number
  /** Milliseconds since the last event or bookmark; null: none yet. */
  readonly lastEventMs: number | null
  /** Objects in the watched copy. */
  readonly objects: number
}

/** Further tallies are added up under the reason `other`, which bounds the label sets. */
const MAX_TALLIES = 64

/** Counts pods by mesh and decision. */
export function tallyPods(
  pods: Iterable<{ readonly mesh: string | null; readonly captured: boolean; readonly reason: string }>,
): PodTally[] {
  const tallies = new Map<string, PodTally>()
  for (const { mesh: name, captured, reason: given } of pods) {
    const mesh = name ?? 'none'
    const full = tallies.size >= MAX_TALLIES && !tallies.has(keyOf(mesh, captured, given))
    const reason = full ? 'other' : given
    const key = keyOf(mesh, captured, reason)
    tallies.set(key, { mesh, captured, reason, pods: (tallies.get(key)?.pods ?? 0) + 1 })
  }
  return [...tallies.values()]
}

const keyOf = (mesh: string, captured: boolean, reason: string): string => `${mesh} ${captured} ${reason}`
