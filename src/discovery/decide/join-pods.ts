/** Matches the pods found in /proc with the pods of the API server. Pure. */
import type { KnownPod } from '../kubernetes/known-pod.ts'
import type { Pod } from '../proc/snapshot.ts'

/** The result of the match. */
export interface Joined {
  /** The API server's record of a pod, by the pod's uid in /proc. */
  readonly known: ReadonlyMap<string, KnownPod>
  /** Pods of the API server that should run here but have no visible process. */
  readonly unseen: readonly KnownPod[]
}

/**
 * Matches by the uid in cgroup paths, or else by a container id.
 *
 * @param fromApi the API server's pods of this node
 * @param before the last result: the record of a pod that the API server has removed is kept while the pod still runs
 */
export function joinPods(pods: readonly Pod[], fromApi: readonly KnownPod[], before: Joined | null = null): Joined {
  const byUid = new Map<string, KnownPod>()
  const byContainer = new Map<string, KnownPod>()
  for (const pod of fromApi) {
    byUid.set(pod.cgroupUid, pod)
    for (const { id } of pod.containers) if (id !== null) byContainer.set(id, pod)
  }
  const known = new Map<string, KnownPod>()
  for (const { uid, containers } of pods) {
    const contained = containers.map(({ id }) => byContainer.get(id)).find((pod) => pod !== undefined)
    const pod = byUid.get(uid) ?? contained ?? before?.known.get(uid)
    if (pod !== undefined) known.set(uid, pod)
  }
  const found = new Set(known.values())
  return { known, unseen: fromApi.filter((pod) => !hasEnded(pod) && !found.has(pod)) }
}

/** Whether the pod has ended; its addresses may have been reassigned. */
const hasEnded = ({ phase }: KnownPod): boolean => phase === 'Succeeded' || phase === 'Failed'
