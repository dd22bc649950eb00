/** The JSON of `interceptor pods -o json`. Its keys are documented (docs/discovery.md, "JSON"), so each is named here. */

import type { NodeReport } from '../agent/inspect-node.ts'
import type { PodDecision } from '../discovery/decide/decision.ts'
import type { KnownPod } from '../discovery/kubernetes/known-pod.ts'

/** Converts a view of the node to what `pods -o json` prints. */
export function podsJson({ snapshot, joined, decisions, apiProblem }: NodeReport) {
  const { processes, denied, networkNamespaces, host, ambient, others } = snapshot
  return {
    processes,
    denied,
    networkNamespaces,
    host,
    ambient,
    apiProblem,
    pods: decisions.pods.map(podJson),
    unseen: joined.unseen.map(({ uid, name, namespace, phase, addresses }) => {
      return { uid, name, namespace, phase, addresses }
    }),
    others,
  }
}

function podJson({ pod, known, mesh, ambient, capture, reason, why }: PodDecision) {
  const { uid, nameHint, namespaceHint, containers, pid, netns, hostNetwork, addresses, interfaces, listens } = pod
  return {
    uid,
    name: known?.name ?? null,
    namespace: known?.namespace ?? null,
    workload: known?.workload ?? null,
    nameHint,
    namespaceHint,
    containers: containers.map((container) => ({ ...container, name: nameOf(container.id, known) })),
    pid,
    netns,
    hostNetwork,
    addresses,
    interfaces,
    listens,
    mesh: mesh === null ? null : { name: mesh.name, role: mesh.role },
    ambient,
    capture,
    reason,
    why,
  }
}

/** The container's name in the pod's specification; null: unknown. */
export const nameOf = (id: string, known: KnownPod | null): string | null =>
  known?.containers.find((container) => container.id === id)?.name ?? null
