/** What is captured, as the configuration says. */
import type { Config } from '../config.ts'
import type { TargetRules } from './decision.ts'
import type { OwnPod } from './own-pod.ts'

/** @param own which pod this process is */
export function targetRules({ targets, capture, admin }: Config, own: OwnPod): TargetRules {
  return {
    include: targets.namespaces.include,
    exclude: targets.namespaces.exclude,
    matchesLabels: null,
    procRoot: targets.procRoot,
    excludePorts: targets.excludePorts,
    adminPort: admin.address === '' ? null : Number(admin.address.slice(admin.address.lastIndexOf(':') + 1)),
    hostInterfaces: capture.interfaces,
    own,
  }
}
