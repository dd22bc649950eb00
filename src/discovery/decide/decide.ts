/**
 * Decides what is captured on a node, where and why, from a scan of /proc, the API server's pods and the configured rules.
 * The result is a decision for each pod and the list of capture targets. The agent acts on it, and `interceptor pods` shows
 * it. Pure.
 */
import { mergePortRanges, type PortRange } from '../../net/port-ranges.ts'
import type { CaptureTarget } from '../../target/capture-target.ts'
import type { Bypass } from '../../target/interface-info.ts'
import type { KnownPod } from '../kubernetes/known-pod.ts'
import type { OwnPod } from '../proc/own-pod.ts'
import type { Pod, Snapshot } from '../proc/snapshot.ts'
import { isRedirectedToZtunnel, placePod } from './capture-points.ts'
import type { CapturePoint, DecisionReason, Decisions, PodDecision, PodFacts, TargetRules } from './decision.ts'
import { endpointOf } from './endpoint.ts'
import { hostTargets } from './host-targets.ts'
import type { Joined } from './join-pods.ts'
import { isAmbient, meshOf } from './pod-mesh.ts'
import { podSelector, type Selection } from './selection.ts'

/** @returns a decision for each pod of the snapshot, in its order, and the targets: of pods that share an interface, one */
export function decide(snapshot: Snapshot, { known }: Pick<Joined, 'known'>, rules: TargetRules): Decisions {
  const select = podSelector(rules)
  const pods = snapshot.pods.map((pod) => decidePod(pod, known.get(pod.uid) ?? null, { snapshot, rules, select }))
  const targets = new Map<string, CaptureTarget>()
  for (const decision of pods) {
    for (const point of decision.captures) {
      if (point.scope === 'host') continue
      const target = podTarget(decision, point, rules)
      if (!targets.has(target.key)) targets.set(target.key, target)
    }
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
  const facts = factsOf(pod, known)
  const leftOut = (reason: DecisionReason, why: string): PodDecision => ({ ...facts, captures: [], reason, why })
  if (isOwn(rules.own, pod, known)) return leftOut('ownPod', 'Interceptor’s own pod')
  if (pod.sandbox !== null) return leftOut('sandbox', pod.sandbox)
  const selection = select(known)
  if (!selection.selected) return leftOut(selection.reason, selection.why)
  const { points, reason, why } = placePod(facts, snapshot, rules.interfaceRules)
  if (points.length === 0) return leftOut('noInterface', why)
  const captures = points.map((point) => {
    return { ...point, excludePorts: [...new Set([...point.excludePorts, ...rules.excludePorts])] }
  })
  return { ...facts, captures, reason, why: selection.why === null ? why : `${why}; ${selection.why}` }
}

function factsOf(pod: Pod, known: KnownPod | null): PodFacts {
  const mesh = meshOf(pod, known)
  return { pod, known, mesh, ambient: (known !== null && isAmbient(known)) || isRedirectedToZtunnel({ pod, mesh }) }
}

/** Whether a pod is the one that this process runs in. */
function isOwn(own: OwnPod, pod: Pod, known: KnownPod | null): boolean {
  if (own.uid !== null && (pod.uid === own.uid || known?.uid === own.uid)) return true
  if (!pod.hostNetwork && pod.netns === own.netns) return true
  return own.name !== null && known?.name === own.name && known.namespace === own.namespace
}

function podTarget({ pod, known }: PodDecision, point: CapturePoint, { procRoot }: TargetRules): CaptureTarget {
  const { scope, interface: device, mesh, excludePorts, outboundPorts, bypass } = point
  return {
    key: `${pod.netns}/${device}`,
    device,
    netns: { path: `${procRoot}/${pod.pid}/ns/net`, inode: pod.netns },
    info: {
      name: device,
      vantage: 'server',
      mesh,
      vantagePoint: {
        scope,
        pod: endpointOf(pod, known),
        addresses: [...pod.addresses],
        outboundPorts: [...outboundPorts],
        listeners: {},
        hopLimit: 0,
        tunnels: false,
        bypass,
      },
    },
    excludePorts,
    onlyPorts: bypass === null ? null : portsOf(bypass),
    onlyAddresses: null,
    tunnels: false,
    labels: { namespace: known?.namespace ?? '', pod: known?.name ?? pod.uid },
  }
}

/** The ports that the kernel filter passes; null: all. It sees no directions, so an assembler decides. */
const portsOf = ({ inbound, outbound, outboundNetworks }: Bypass): PortRange[] | null =>
  outboundNetworks.length > 0 ? null : mergePortRanges([...inbound, ...outbound])
