/** Joins what discovery knows of the node's pods with what was captured of them. Pure. */
import { MOST_PODS, type ObservedPod, type PodsPage, podTraffic } from '../admin/pod-traffic.ts'
import type { PodDecision } from '../discovery/decide/decision.ts'
import type { InterfaceObservation, Observation } from '../ledger/observation.ts'

/** @returns the pods by namespace and name, MOST_PODS of them */
export function podsSeen(
  pods: readonly PodDecision[],
  { interfaces, outputReachable }: Pick<Observation, 'interfaces' | 'outputReachable'>,
): Pick<PodsPage, 'pods' | 'leftOut'> {
  const byNetns = new Map<string, InterfaceObservation[]>()
  for (const one of interfaces) {
    const netns = netnsOf(one)
    byNetns.set(netns, [...(byNetns.get(netns) ?? []), one])
  }
  const all = pods.map((decision) => factsOf(decision, byNetns)).sort(byName)
  const listed = all.slice(0, MOST_PODS).map((pod) => podTraffic(pod, outputReachable === false))
  return { pods: listed, leftOut: Math.max(0, all.length - MOST_PODS) }
}

function factsOf(
  { pod, known, captures, why }: PodDecision,
  byNetns: Map<string, InterfaceObservation[]>,
): ObservedPod {
  return {
    uid: pod.uid,
    namespace: known?.namespace ?? pod.namespaceHint,
    name: known?.name ?? pod.nameHint,
    hostNetwork: pod.hostNetwork,
    why,
    isCaptured: captures.length > 0,
    interfaces: captures.length === 0 ? [] : (byNetns.get(String(pod.netns)) ?? []),
  }
}

/** A target's key is `<inode of the namespace>/<device>`. */
const netnsOf = ({ key }: InterfaceObservation): string => key.slice(0, key.indexOf('/'))

const byName = (left: ObservedPod, right: ObservedPod): number =>
  compare(left.namespace ?? '', right.namespace ?? '') || compare(left.name ?? left.uid, right.name ?? right.uid)

const compare = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0)
