/**
 * Decides what is captured on a node, where and why, from a pass over /proc, the API server's pods and the configured rules.
 * The result is a decision for each pod and the list of capture targets. The agent acts on it, and `interceptor pods` shows
 * it. Pure.
 */
import type { CaptureTarget } from '../../target/capture-target.ts'
import type { KnownPod } from '../kubernetes/known-pod.ts'
import { MESH_TITLES } from '../proc/mesh.ts'
import type { OwnPod } from '../proc/own-pod.ts'
import type { Pod, Snapshot } from '../proc/snapshot.ts'
import type { CapturePoint, DecisionReason, Decisions, PodDecision, TargetRules } from './decision.ts'
import { endpointOf } from './endpoint.ts'
import { hostTargets } from './host-targets.ts'
import type { Joined } from './join-pods.ts'
import { isAmbient, meshOf } from './pod-mesh.ts'
import { podSelector, type Selection } from './selection.ts'

export function decide(snapshot: Snapshot, { known }: Pick<Joined, 'known'>, rules: TargetRules): Decisions {
  const select = podSelector(rules)
  const pods = snapshot.pods.map((pod) => decidePod(pod, known.get(pod.uid) ?? null, { snapshot, rules, select }))
  const targets = new Map<string, CaptureTarget>()
  for (const decision of pods) {
    if (decision.capture === null || decision.capture.scope === 'host') continue
    const target = podTarget(decision, decision.capture, rules)
    if (!targets.has(target.key)) targets.set(target.key, target)
  }
  return { pods, targets: [...targets.values(), ...hostTargets(snapshot.host, pods, rules)] }
}

/** The inputs shared by all decisions. */
interface Context {
  readonly snapshot: Snapshot
  readonly rules: TargetRules
  readonly select: (known: KnownPod | null) => Selection
}

function decidePod(pod: Pod, known: KnownPod | null, { snapshot, rules, select }: Context): PodDecision {
  const facts: PodFacts = { pod, known, mesh: meshOf(pod, known), ambient: known !== null && isAmbient(known) }
  const leftOut = (reason: DecisionReason, why: string): PodDecision => ({ ...facts, capture: null, reason, why })
  if (isOwn(rules.own, pod, known)) return leftOut('ownPod', 'Interceptor’s own pod')
  if (pod.sandbox !== null) return leftOut('sandbox', pod.sandbox)
  const selection = select(known)
  if (!selection.selected) return leftOut(selection.reason, selection.why)
  const place = placeOf(facts, snapshot)
  if (place === null) return leftOut('noInterface', 'no interface except loopback has an address or a route')
  const { scope, device } = place
  const own = scope === 'loopback' ? (facts.mesh?.ownPorts ?? []) : []
  const excludePorts = [...new Set([...own, ...rules.excludePorts])]
  const why = selection.why === null ? place.why : `${place.why}; ${selection.why}`
  const reason = scope === 'pod' ? 'interface' : scope
  return { ...facts, capture: { scope, interface: device, excludePorts }, reason, why }
}

/** Whether a pod is the one that this process runs in. */
function isOwn(own: OwnPod, pod: Pod, known: KnownPod | null): boolean {
  if (own.uid !== null && (pod.uid === own.uid || known?.uid === own.uid)) return true
  if (!pod.hostNetwork && pod.netns === own.netns) return true
  return own.name !== null && known?.name === own.name && known.namespace === own.namespace
}

type PodFacts = Omit<PodDecision, 'capture' | 'reason' | 'why'>

/** Where a pod's traffic can be read in plaintext, and why there. */
interface Place {
  readonly scope: CapturePoint['scope']
  readonly device: string
  readonly why: string
}

function placeOf(facts: PodFacts, snapshot: Snapshot): Place | null {
  const { pod, mesh } = facts
  if (pod.hostNetwork) {
    if (snapshot.host.allAddresses.length === 0) return null
    return { scope: 'host', device: 'any', why: 'host network: the host’s interfaces are captured once for all pods' }
  }
  if (mesh?.role === 'sidecar') {
    const why = `${MESH_TITLES[mesh.name]} sidecar: traffic is in plaintext on loopback`
    return { scope: 'loopback', device: 'lo', why }
  }
  if (pod.external === null) return null
  const { name, by } = pod.external
  const route = by === 'default-route' ? 'its default route' : 'no default route: the first interface in use'
  return { scope: 'pod', device: name, why: `${meshReason(facts, snapshot)}; ${route}` }
}

/** The mesh of a pod without a sidecar. */
function meshReason({ mesh, ambient, known }: PodFacts, snapshot: Snapshot): string {
  if (mesh !== null) return `${MESH_TITLES[mesh.name]} gateway without an application`
  if (ambient) return 'Istio ambient: traffic through the mesh is encrypted (HBONE) and counted as TLS'
  if (known !== null || !snapshot.ambient) return 'no mesh'
  return 'no sidecar; ztunnel runs here: in Istio’s ambient mode, traffic through the mesh is counted as TLS'
}

function podTarget(
  { pod, known, mesh, ambient }: PodDecision,
  point: CapturePoint,
  { procRoot }: TargetRules,
): CaptureTarget {
  const { scope, interface: device, excludePorts } = point
  return {
    key: `${pod.netns}/${device}`,
    device,
    netns: { path: `${procRoot}/${pod.pid}/ns/net`, inode: pod.netns },
    info: {
      name: device,
      vantage: 'server',
      mesh: mesh?.name ?? (ambient ? 'istio' : null),
      vantagePoint: {
        scope,
        pod: known === null ? null : endpointOf(known),
        addresses: [...pod.addresses],
        outboundPorts: scope === 'loopback' ? [...(mesh?.outboundPorts ?? [])] : [],
        listeners: {},
        hopLimit: 0,
        tunnels: false,
      },
    },
    excludePorts,
    onlyAddresses: null,
    tunnels: false,
    labels: { namespace: known?.namespace ?? '', pod: known?.name ?? pod.uid },
  }
}
