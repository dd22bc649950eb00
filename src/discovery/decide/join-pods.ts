/** Pods that processes show and pods that the API server tells are put together. Pure. */
import type { KnownPod } from '../kubernetes/known-pod.ts'
import type { Pod } from '../proc/snapshot.ts'

export interface Joined {
  /** What the API server tells of a pod, by the pod's uid as its processes show it. */
  readonly known: ReadonlyMap<string, KnownPod>
  /** Pods that should run here, and of which no process is in sight. */
  readonly unseen: readonly KnownPod[]
}

/**
 * By the uid in the paths of cgroups, else by the id of a container.
 *
 * @param before the last answer: of a pod that the API server has forgotten while it still runs, what was known stays
 */
export function joinPods(pods: readonly Pod[], told: readonly KnownPod[], before: Joined | null = null): Joined {
  const byUid = new Map<string, KnownPod>()
  const byContainer = new Map<string, KnownPod>()
  for (const pod of told) {
    byUid.set(pod.cgroupUid, pod)
    for (const { id } of pod.containers) if (id !== null) byContainer.set(id, pod)
  }
  const known = new Map<string, KnownPod>()
  for (const { uid, containers } of pods) {
    const contained = containers.map(({ id }) => byContainer.get(id)).find((found) => found !== undefined)
    const found = byUid.get(uid) ?? contained ?? before?.known.get(uid)
    if (found !== undefined) known.set(uid, found)
  }
  const seen = new Set(known.values())
  return { known, unseen: told.filter((pod) => !hasEnded(pod) && !seen.has(pod)) }
}

/** Its addresses may be another's. */
const hasEnded = ({ phase }: KnownPod): boolean => phase === 'Succeeded' || phase === 'Failed'
