/** Rings, threads and the buffer in front of the output, as metrics. */
import type { Observation, RingObservation, ThreadObservation } from '../ledger/observation.ts'
import { type Metric, single, truth } from './exposition.ts'

/** Of a pipeline: null before its threads have started. */
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

/** @param value null: the system does not tell, and there is no series */
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
  single(
    'gauge',
    'interceptor_interfaces',
    'Interfaces being captured',
    ({ observation }) => observation?.interfaces.length,
  ),
  ringMetric('interceptor_ring_used_bytes', 'Bytes that wait in a ring between two threads', (ring) => ring.usedBytes),
  ringMetric(
    'interceptor_ring_capacity_bytes',
    'Bytes a ring between two threads can hold',
    (ring) => ring.capacityBytes,
  ),
  threadMetric(
    'counter',
    'interceptor_thread_cpu_seconds_total',
    'CPU time the threads of a role and slot have used',
    ({ cpuSeconds }) => cpuSeconds,
  ),
  threadMetric(
    'gauge',
    'interceptor_thread_heartbeat_age_seconds',
    'Time since the thread last showed that it is alive; a healthy one does so every second',
    ({ silentMs }) => silentMs / MS,
  ),
  threadMetric(
    'counter',
    'interceptor_thread_restarts_total',
    'Times the thread was started again after it failed',
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
    'Bytes of pairs that wait for the output',
    ({ observation }) => observation?.buffer.bytes,
  ),
  single(
    'gauge',
    'interceptor_buffer_limit_bytes',
    'Most bytes of pairs that may wait for the output: ship.bufferBytes',
    ({ observation }) => observation?.buffer.limitBytes,
  ),
  single(
    'gauge',
    'interceptor_buffer_oldest_age_seconds',
    'Age of the oldest pair that waits for the output: the lag to the broker; 0: none waits',
    ({ observation }) => (observation === null ? null : observation.buffer.oldestMs / MS),
  ),
  single(
    'gauge',
    'interceptor_output_reachable',
    'Whether the output takes pairs; absent until it was tried',
    (state) => {
      const reachable = state.observation?.outputReachable ?? null
      return reachable === null ? null : truth(reachable)
    },
  ),
]
