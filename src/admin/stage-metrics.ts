/** Metrics of rings, threads and the output's buffer. */
import type { Observation, RingObservation, ThreadObservation } from '../ledger/observation.ts'
import { type Metric, single, truth } from './exposition.ts'

/** The pipeline's observation; null before its threads have started. */
export interface StageState {
  readonly observation: Observation | null
}

const MS = 1000

function ringMetric(name: string, help: string, value: (ring: RingObservation) => number): Metric<StageState> {
  return {
    name,
    type: 'gauge',
    help,
    labels: ['kind', 'from', 'to'],
    read: ({ observation }) =>
      (observation?.rings ?? []).map((ring) => ({ labels: [ring.kind, ring.from, ring.to], value: value(ring) })),
  }
}

/** @param value null: unknown on this system; there is no series */
function threadMetric(
  type: 'counter' | 'gauge',
  name: string,
  help: string,
  value: (thread: ThreadObservation) => number | null,
): Metric<StageState> {
  return {
    name,
    type,
    help,
    labels: ['role', 'slot'],
    read: ({ observation }) =>
      (observation?.threads ?? []).flatMap((thread) => {
        const now = value(thread)
        return now === null ? [] : [{ labels: [thread.role, String(thread.slot)], value: now }]
      }),
  }
}

export const STAGE_METRICS: readonly Metric<StageState>[] = [
  single('gauge', 'interceptor_interfaces', 'Captured interfaces', ({ observation }) => observation?.interfaces.length),
  {
    name: 'interceptor_kept_connections_ratio',
    type: 'gauge',
    help: 'Share of connections that are kept while others are shed, by the reason; the lower one applies',
    labels: ['reason'],
    read: ({ observation }) =>
      Object.entries(observation?.shedding ?? {}).map(([reason, value]) => ({ labels: [reason], value })),
  },
  ringMetric('interceptor_ring_used_bytes', 'Bytes queued in a ring between two threads', (ring) => ring.usedBytes),
  ringMetric('interceptor_ring_capacity_bytes', 'Capacity of a ring between two threads', (ring) => ring.capacityBytes),
  threadMetric(
    'counter',
    'interceptor_thread_cpu_seconds_total',
    'CPU time used by the threads of a role and slot',
    ({ cpuSeconds }) => cpuSeconds,
  ),
  threadMetric(
    'gauge',
    'interceptor_thread_heartbeat_age_seconds',
    'Time since the thread’s last heartbeat; a healthy thread sends one every second',
    ({ silentMs }) => silentMs / MS,
  ),
  threadMetric(
    'counter',
    'interceptor_thread_restarts_total',
    'Restarts of the thread after a failure',
    ({ restarts }) => restarts,
  ),
  threadMetric(
    'gauge',
    'interceptor_thread_crash_looping',
    'Whether the thread crashed at least three times within the last minute',
    ({ crashLooping }) => (crashLooping ? 1 : 0),
  ),
  single(
    'gauge',
    'interceptor_buffer_bytes',
    'Bytes of pairs waiting for the output',
    ({ observation }) => observation?.buffer.bytes,
  ),
  single(
    'gauge',
    'interceptor_buffer_limit_bytes',
    'Limit of bytes waiting for the output: ship.bufferBytes',
    ({ observation }) => observation?.buffer.limitBytes,
  ),
  single(
    'gauge',
    'interceptor_buffer_oldest_age_seconds',
    'Age of the oldest pair waiting for the output; 0: none is waiting',
    ({ observation }) => (observation === null ? null : observation.buffer.oldestMs / MS),
  ),
  single(
    'gauge',
    'interceptor_output_reachable',
    'Whether the output is reachable; absent before the first attempt',
    (state) => {
      const reachable = state.observation?.outputReachable ?? null
      return reachable === null ? null : truth(reachable)
    },
  ),
  single(
    'gauge',
    'interceptor_tap_readers',
    'Programs that read the tap, such as tail --agent',
    ({ observation }) => observation?.tap.readers,
  ),
  single(
    'counter',
    'interceptor_tap_not_shown_total',
    'Pairs that were not shown to a reader of the tap because it was slow; they were shipped nevertheless',
    ({ observation }) => observation?.tap.notShown,
  ),
]
