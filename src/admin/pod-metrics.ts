/**
 * The metrics of the page /metrics/pods, which is separate from /metrics because the number of its series grows with
 * the pods.
 */
import type { Metric } from './exposition.ts'
import type { PodTraffic } from './pod-traffic.ts'

/** The pods of one scrape. */
export interface PodsState {
  readonly pods: readonly PodTraffic[]
  /** Further pods, which have no series. */
  readonly podsLeftOut: number
}

const MICROS = 1_000_000

/** @param read null: the pod has no such series */
const podMetric = (
  type: Metric<PodsState>['type'],
  name: string,
  help: string,
  read: (pod: PodTraffic) => number | null,
): Metric<PodsState> => ({
  name,
  type,
  help,
  labels: ['namespace', 'pod'],
  read: ({ pods }) =>
    pods.flatMap((pod) => {
      const value = read(pod)
      return value === null ? [] : [{ labels: labelsOf(pod), value }]
    }),
})

const countsMetric = (
  name: string,
  help: string,
  label: string,
  read: (pod: PodTraffic) => Readonly<Record<string, number>>,
): Metric<PodsState> => ({
  name,
  type: 'counter',
  help,
  labels: ['namespace', 'pod', label],
  read: ({ pods }) =>
    pods.flatMap((pod) =>
      Object.entries(read(pod)).map(([reason, value]) => ({ labels: [...labelsOf(pod), reason], value })),
    ),
})

const labelsOf = ({ namespace, name, uid }: PodTraffic): string[] => [namespace ?? '', name ?? uid]

const withoutTotal = ({ connections: { seen, ...protocols } }: PodTraffic): Record<string, number> => protocols

/** Counters restart at 0 when a pod's capture is opened again. */
export const POD_METRICS: readonly Metric<PodsState>[] = [
  podMetric('counter', 'interceptor_pod_frames_total', 'Frames on the pod’s interfaces', ({ frames }) => frames),
  countsMetric(
    'interceptor_pod_connections_total',
    'TCP connections of the pod, by protocol',
    'protocol',
    withoutTotal,
  ),
  podMetric('counter', 'interceptor_pod_requests_total', 'Requests of the pod', ({ requests }) => requests),
  podMetric(
    'counter',
    'interceptor_pod_pairs_kept_total',
    'Pairs of the pod that were kept',
    ({ pairs }) => pairs.kept,
  ),
  countsMetric(
    'interceptor_pod_pairs_filtered_total',
    'Pairs of the pod that a rule filtered, by reason',
    'reason',
    ({ pairs }) => pairs.filtered,
  ),
  countsMetric(
    'interceptor_pod_requests_abandoned_total',
    'Unpaired requests of the pod, by reason',
    'reason',
    ({ abandoned }) => abandoned,
  ),
  podMetric(
    'gauge',
    'interceptor_pod_last_pair_timestamp_seconds',
    'End of the last kept pair, in Unix time',
    ({ lastPairMicros }) => (lastPairMicros === null ? null : lastPairMicros / MICROS),
  ),
  {
    name: 'interceptor_pods_left_out',
    type: 'gauge',
    help: 'Pods without series on this page, because its limit is reached',
    labels: [],
    read: ({ podsLeftOut, pods }) => (pods.length === 0 ? [] : [{ labels: [], value: podsLeftOut }]),
  },
]
