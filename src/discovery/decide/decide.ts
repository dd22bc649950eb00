/**
 * What is captured of a node, where and why: a pass over /proc, what the API server tells, and the rules of the
 * configuration go in, a decision for each pod comes out, and the list of captures that follows. The agent acts by it and
 * `interceptor pods` shows it. Pure.
 */
import type { CaptureTarget } from '../../target/capture-target.ts'
import type { KnownPod } from '../kubernetes/known-pod.ts'
import { MESH_TITLES } from '../proc/mesh.ts'
import { isOwn } from '../proc/own-pod.ts'
import type { Pod, Snapshot } from '../proc/snapshot.ts'
import type { CapturePoint, DecisionReason, Decisions, PodDecision, TargetRules } from './decision.ts'
import { endpointOf } from './endpoint.ts'
import { hostTargets } from './host-targets.ts'
import type { Joined } from './join-pods.ts'
import { isAmbient, meshOf } from './pod-mesh.ts'
import { type Choice, selector } from './selection.ts'

export function decide(snapshot: Snapshot, { known }: Pick<Joined, 'known'>, rules: TargetRules): Decisions {
  const choose = selector(rules)
  const pods = snapshot.pods.map((pod) => decidePod(pod, known.get(pod.uid) ?? null, { snapshot, rules, choose }))
  const targets = new Map<string, CaptureTarget>()
  for (const decision of pods) {
    if (decision.capture === null || decision.capture.scope === 'host') continue
    const target = podTarget(decision, decision.capture, rules)
    if (!targets.has(target.key)) targets.set(target.key, target)
  }
  return { pods, targets: [...targets.values(), ...hostTargets(snapshot.host, pods, rules)] }
}

/** What decisions about all pods share. */
interface Context {
  readonly snapshot: Snapshot
  readonly rules: TargetRules
  readonly choose: (known: KnownPod | null) => Choice
}

function decidePod(pod: Pod, known: KnownPod | null, { snapshot, rules, choose }: Context): PodDecision {
  const facts: PodFacts = { pod, known, mesh: meshOf(pod, known), ambient: known !== null && isAmbient(known) }
  const leftOut = (reason: DecisionReason, why: string): PodDecision => ({ ...facts, capture: null, reason, why })
  if (isOwn(rules.own, pod, known)) return leftOut('ownPod', 'Interceptor’s own pod')
  if (pod.sandbox !== null) return leftOut('sandbox', pod.sandbox)
  const choice = choose(known)
  if (!choice.wanted) return leftOut(choice.reason, choice.why)
  const place = placeOf(facts, snapshot)
  if (place === null) return leftOut('noInterface', 'no interface beside loopback has an address or a route')
  const { scope, device } = place
  const own = scope === 'loopback' ? (facts.mesh?.ownPorts ?? []) : []
  const excludePorts = [...new Set([...own, ...rules.excludePorts])]
  const why = choice.why === null ? place.why : `${place.why}; ${choice.why}`
  const reason = scope === 'pod' ? 'interface' : scope
  return { ...facts, capture: { scope, interface: device, excludePorts }, reason, why }
}

type PodFacts = Omit<PodDecision, 'capture' | 'reason' | 'why'>

/** Where a pod's traffic can be read, and why there. */
interface Place {
  readonly scope: CapturePoint['scope']
  readonly device: string
  readonly why: string
}

function placeOf(facts: PodFacts, snapshot: Snapshot): Place | null {
  const { pod, mesh } = facts
  if (pod.hostNetwork) {
    if (snapshot.host.allAddresses.length === 0) return null
    return { scope: 'host', device: 'any', why: 'host network: the host’s interfaces are captured once for all' }
  }
  if (mesh?.role === 'sidecar') {
    const why = `${MESH_TITLES[mesh.name]} sidecar: traffic is in plaintext on loopback`
    return { scope: 'loopback', device: 'lo', why }
  }
  if (pod.external === null) return null
  const { name, by } = pod.external
  const route = by === 'default-route' ? 'its default route' : 'no default route: first interface in use'
  return { scope: 'pod', device: name, why: `${meshReason(facts, snapshot)}; ${route}` }
}

/** What there is to say of a pod's mesh where it has no sidecar. */
function meshReason({ mesh, ambient, known }: PodFacts, snapshot: Snapshot): string {
  if (mesh !== null) return `${MESH_TITLES[mesh.name]} gateway, no application behind it`
  if (ambient) return 'Istio ambient: what comes through the mesh is encrypted (HBONE) and counts as TLS'
  if (known !== null || !snapshot.ambient) return 'no mesh'
  return 'no sidecar; ztunnel runs here: in Istio’s ambient mode what comes through the mesh counts as TLS'
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
      },
    },
    excludePorts,
    onlyAddresses: null,
    labels: { namespace: known?.namespace ?? '', pod: known?.name ?? pod.uid },
  }
}
