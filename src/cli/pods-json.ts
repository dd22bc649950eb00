/** The JSON of `interceptor pods -o json`. Its keys are documented (docs/discovery.md, "JSON"), so each is named here. */

import type { NodeReport } from '../agent/inspect-node.ts'
import type { CapturePoint, PodDecision } from '../discovery/decide/decision.ts'
import type { KnownPod } from '../discovery/kubernetes/known-pod.ts'
import { loopbackPorts, reachablePorts } from '../discovery/proc/snapshot.ts'
import { formatPortRanges } from '../net/port-ranges.ts'

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

function podJson({ pod, known, mesh, ambient, captures, reason, why }: PodDecision) {
  const { uid, nameHint, namespaceHint, containers, pid, netns, hostNetwork, addresses, interfaces, further } = pod
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
    further,
    listens: reachablePorts(pod),
    listensOnLoopback: loopbackPorts(pod),
    mesh: mesh === null ? null : { name: mesh.name, role: mesh.role },
    ambient,
    capture: captures.map(captureJson)[0] ?? null,
    captures: captures.map(captureJson),
    reason,
    why,
  }
}

function captureJson({ scope, interface: device, excludePorts, bypass }: CapturePoint) {
  const onlyPorts = bypass && {
    inbound: formatPortRanges(bypass.inbound),
    outbound: formatPortRanges(bypass.outbound),
    outboundNetworks: bypass.outboundNetworks,
  }
  return { scope, interface: device, excludePorts, onlyPorts }
}

/** The container's name in the pod's specification; null: unknown. */
export const nameOf = (id: string, known: KnownPod | null): string | null =>
  known?.containers.find((container) => container.id === id)?.name ?? null
