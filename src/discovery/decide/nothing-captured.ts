/** Why nothing on a node is captured, so that an agent that watches nothing says so. Pure. */
import type { Snapshot } from '../proc/snapshot.ts'
import type { Decisions, TargetRules } from './decision.ts'

export interface NothingCaptured {
  /** One sentence without a full stop. */
  readonly why: string
  readonly hint: string
}

/** Reasons that are named; a node has few. */
const MOST_REASONS = 3

/** @returns null: something is to be captured */
export function nothingCaptured(
  { host, pods, processes, denied }: Pick<Snapshot, 'host' | 'pods' | 'processes' | 'denied'>,
  decisions: Decisions,
  { hostInterfaces, procRoot }: Pick<TargetRules, 'hostInterfaces' | 'procRoot'>,
): NothingCaptured | null {
  if (decisions.targets.length > 0) return null
  if (hostInterfaces.length > 0 && host.allAddresses.length === 0) {
    return {
      why: 'capture.interfaces is set, but no interface of the host except loopback has an address',
      hint: 'Give one of them an address. Loopback alone is captured by: interceptor capture -i lo',
    }
  }
  if (pods.length > 0) return { why: leftOut(decisions), hint: 'Each pod and its reason: interceptor pods' }
  // Some can never be read, whatever the privileges.
  if (denied > processes) {
    return {
      why: `no pod was found, and ${denied} processes could not be read`,
      hint: 'Grant CAP_SYS_PTRACE, and see whether AppArmor denies it.',
    }
  }
  return {
    why: `${procRoot} has no process of a pod`,
    hint: 'targets.procRoot must be the /proc of the node (in a pod: where it is mounted, or hostPID: true). On a host without pods, set capture.interfaces.',
  }
}

function leftOut({ pods }: Decisions): string {
  const counts = new Map<string, number>()
  for (const { why } of pods) counts.set(why, (counts.get(why) ?? 0) + 1)
  const reasons = [...counts].sort(([, left], [, right]) => right - left)
  const named = reasons.slice(0, MOST_REASONS).map(([why, count]) => `${count}: ${why}`)
  return `no pod is captured (${named.join('; ')}${reasons.length > MOST_REASONS ? '; …' : ''})`
}
