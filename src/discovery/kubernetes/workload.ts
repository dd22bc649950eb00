/**
 * Derives a pod's workload from its owner reference and from the rules by which controllers name the objects they create,
 * so that ReplicaSets and Jobs need not be fetched. Pure.
 */

/** An owner reference with `controller: true`. */
export interface Owner {
  readonly kind: string
  readonly name: string
  /** API group and version, such as `apps/v1`. */
  readonly apiVersion: string
}

/** A pod's workload, as in a pair. */
export interface Workload {
  readonly kind: string
  readonly name: string
}

/** The workload according to the naming rules. */
export interface WorkloadGuess {
  /** null: the pod has no controller. */
  readonly workload: Workload | null
  /** Whether the owner may have an owner itself, which only the API server knows. */
  readonly uncertain: boolean
}

/** The parts of a pod that determine its workload. */
export interface Owned {
  readonly owner: Owner | null
  readonly labels: Readonly<Record<string, string>>
  /** Microseconds since the Unix epoch; null: unknown. */
  readonly createdMicros: number | null
}

const MINUTE_MICROS = 60_000_000
/** A Job's pod is created after its scheduled time: at once or, when the Job is retried, days later at most. */
const EARLIER_MINUTES = 10
const LATER_MINUTES = 7 * 24 * 60

/**
 * - ReplicaSet `web-5d4f8c7b9d`, the label `pod-template-hash: 5d4f8c7b9d` → Deployment `web`; the label
 *   `rollouts-pod-template-hash` → Rollout `web`. The controllers set both, on the pod and in the name.
 * - Job `backup-29401920` → CronJob `backup`, if the digits are the scheduled time in minutes since the Unix epoch and the
 *   pod was created around that time.
 * - Other owners are the workload themselves: StatefulSet, DaemonSet, Node (static pods), custom resources.
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
