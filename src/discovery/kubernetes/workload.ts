/**
 * Which workload a pod belongs to, by its owner's reference and the rules by which controllers name what they make, so that
 * no ReplicaSet and no Job has to be asked for. Pure.
 */

/** An owner reference of which `controller` is true. */
export interface Owner {
  readonly kind: string
  readonly name: string
  /** As `apps/v1`. */
  readonly apiVersion: string
}

/** What runs a pod, as a pair names it. */
export interface Workload {
  readonly kind: string
  readonly name: string
}

/** What the rules say of a pod. */
export interface WorkloadGuess {
  /** null: the pod has no controller. */
  readonly workload: Workload | null
  /** Whether its owner may belong to another, which only the API server can tell. */
  readonly uncertain: boolean
}

/** What is known of the pod that is to be described. */
export interface Owned {
  readonly owner: Owner | null
  readonly labels: Readonly<Record<string, string>>
  /** Microseconds since the Unix epoch; null: unknown. */
  readonly createdMicros: number | null
}

const MINUTE_MICROS = 60_000_000
/** A Job's pod is made after its time: at once, or when the Job is tried again, days later at most. */
const EARLIER_MINUTES = 10
const LATER_MINUTES = 7 * 24 * 60

/**
 * - ReplicaSet `web-5d4f8c7b9d`, the label `pod-template-hash: 5d4f8c7b9d` → Deployment `web`; the label
 *   `rollouts-pod-template-hash` → Rollout `web`. The controllers set both, on the pod and in the name.
 * - Job `backup-29401920` → CronJob `backup`, when the digits are the minute for which it was scheduled, counted since the
 *   Unix epoch, and the pod is of that time.
 * - Other owners stand for themselves: StatefulSet, DaemonSet, Node (static pods), those of operators.
 */
export function guessWorkload({ owner, labels, createdMicros }: Owned): WorkloadGuess {
  if (owner === null) return { workload: null, uncertain: false }
  const { kind, name, apiVersion } = owner
  if (kind === 'ReplicaSet' && apiVersion.startsWith('apps/')) {
    const rollout = beforeSuffix(name, labels['rollouts-pod-template-hash'])
    if (rollout !== null) return certain('Rollout', rollout)
    const deployment = beforeSuffix(name, labels['pod-template-hash'])
    if (deployment !== null) return certain('Deployment', deployment)
    return { workload: { kind, name }, uncertain: true }
  }
  if (kind === 'Job' && apiVersion.startsWith('batch/')) {
    const [, cronJob, minutes] = /^(.+)-(\d{8})$/.exec(name) ?? []
    if (cronJob !== undefined && isScheduledTime(Number(minutes), createdMicros)) return certain('CronJob', cronJob)
    return { workload: { kind, name }, uncertain: true }
  }
  return certain(kind, name)
}

const certain = (kind: string, name: string): WorkloadGuess => ({ workload: { kind, name }, uncertain: false })

function beforeSuffix(name: string, hash: string | undefined): string | null {
  const suffix = `-${hash}`
  return hash && name.endsWith(suffix) && name.length > suffix.length ? name.slice(0, -suffix.length) : null
}

function isScheduledTime(minutes: number, createdMicros: number | null): boolean {
  if (createdMicros === null) return false
  const late = createdMicros / MINUTE_MICROS - minutes
  return late >= -EARLIER_MINUTES && late <= LATER_MINUTES
}
