/**
 * What the agent tells of itself to /metrics, /livez and /readyz. All of it is at hand on the main thread: counters and
 * heartbeats in shared memory, the rest in its own variables, so no worker is asked.
 */
import type { ReloadState } from '../config/reload.ts'
import type { Observation } from '../ledger/observation.ts'

export interface AgentState {
  /** The Kubernetes node's name: `node.name`. */
  readonly node: string
  /** Milliseconds since the agent began. */
  readonly uptimeMs: number
  /** The pipeline; null: its threads have not started yet. */
  readonly observation: Observation | null
  /** null: the first pass has not ended yet. */
  readonly discovery: DiscoveryState | null
  /** One for each kind of object that is watched; none where the API server is not asked. */
  readonly watches: readonly WatchState[]
  readonly reload: ReloadState
  /** The agent has been told to stop and finishes what is there. */
  readonly draining: boolean
}

/** Passes over the host's processes so far, and what the last one found. */
export interface DiscoveryState {
  /** Passes that ended, and those of them that failed. */
  readonly scans: number
  readonly failures: number
  /** What all passes together took: of the clock, and of CPU time. */
  readonly scanSeconds: number
  readonly scanCpuSeconds: number
  readonly lastScanSeconds: number
  /** Milliseconds since the last pass ended. */
  readonly lastScanAgeMs: number
  /** Processes read, and those that did not show their namespaces. */
  readonly processes: number
  readonly processesDenied: number
  readonly pods: readonly PodTally[]
}

/** How many pods of the node share a mesh and a decision. */
export interface PodTally {
  /** `none`, `istio`, `linkerd`, `consul`, `kuma`. */
  readonly mesh: string
  readonly captured: boolean
  /** One word out of a fixed set; a sentence for people is in `interceptor pods`. */
  readonly reason: string
  readonly pods: number
}

/** A list-and-watch of the API server. */
export interface WatchState {
  /** Plural, as in the API: `pods`. */
  readonly resource: string
  /** It has been listed at least once. */
  readonly synced: boolean
  /** A watch is open now. */
  readonly connected: boolean
  /** Times the watch was opened anew after it ended or failed. */
  readonly restarts: number
  /** Milliseconds since the API server last sent something, bookmarks included; null: never. */
  readonly lastEventMs: number | null
  /** Objects held. */
  readonly objects: number
}

/** Tallies beyond this many are added up under the reason `other`: label sets stay bounded, whatever the reasons are. */
const MAX_TALLIES = 64

/** Adds pods up by mesh and decision. */
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
