/** The table of `interceptor pods --traffic`: what a running agent has seen of each pod. */
import type { PodTraffic } from '../admin/pod-traffic.ts'
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

const PROTOCOLS: Readonly<Record<string, string>> = {
  http1: 'HTTP/1',
  http2: 'HTTP/2',
  tls: 'TLS',
  upgraded: 'WebSocket',
  tunnel: 'CONNECT',
  view: 'kept elsewhere',
}

/** `43: 40 TLS, 3 HTTP/1` */
function connectionsText({ connections: { seen = 0, ...kinds } }: PodTraffic): string {
  const parts = Object.entries(kinds).map(([kind, value]) => `${grouped(value)} ${PROTOCOLS[kind] ?? kind}`)
  return parts.length === 0 ? grouped(seen) : `${grouped(seen)}: ${parts.join(', ')}`
}

/** `12: status 10, path 2` */
function reasonsText(reasons: Readonly<Record<string, number>>): string {
  const entries = Object.entries(reasons)
  const sum = entries.reduce((total, [, value]) => total + value, 0)
  return sum === 0 ? '0' : `${grouped(sum)}: ${entries.map(([name, value]) => `${name} ${grouped(value)}`).join(', ')}`
}
