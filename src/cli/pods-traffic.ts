/** The table of `interceptor pods --traffic`: what a running agent has seen of each pod. */
import type { PodTraffic } from '../admin/pod-traffic.ts'
import { connectionsText, reasonsText } from '../format/traffic-text.ts'
import { dayOf, grouped, timeOfDay } from '../format/units.ts'

export const TRAFFIC_HEADINGS = [
  'POD',
  'NAMESPACE',
  'INTERFACE',
  'FRAMES',
  'CONNECTIONS',
  'REQUESTS',
  'KEPT',
  'FILTERED',
  'LOST',
  'LAST PAIR',
  'ADVICE',
]

/** The columns of a pod, by TRAFFIC_HEADINGS. */
export function trafficRow(pod: PodTraffic): string[] {
  const { uid, name, namespace, interfaces, hostNetwork, frames, requests, pairs, abandoned } = pod
  return [
    name ?? uid,
    namespace ?? '-',
    interfaces.length === 0 ? '-' : `${interfaces.join(',')}${hostNetwork ? ' (host)' : ''}`,
    grouped(frames),
    connectionsText(pod),
    grouped(requests),
    grouped(pairs.kept),
    reasonsText(pairs.filtered),
    reasonsText({ ...abandoned, ...pairs.dropped }),
    pod.lastPairMicros === null ? '-' : `${dayOf(pod.lastPairMicros)} ${timeOfDay(pod.lastPairMicros)}`,
    pod.advice,
  ]
}
