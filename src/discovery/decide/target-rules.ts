/** Derives the rules of discovery from the configuration. */
import type { Config } from '../../config/schema.ts'
import type { OwnPod } from '../proc/own-pod.ts'
import type { TargetRules } from './decision.ts'
import { parseLabelSelector } from './label-selector.ts'

/**
 * @param own the pod that this process runs in
 * @throws InterceptorError, exit 2, when `targets.selector` is not a label selector
 */
export function targetRules({ targets, capture, admin }: Config, own: OwnPod): TargetRules {
  return {
    include: targets.namespaces.include,
    exclude: targets.namespaces.exclude,
    matchesLabels: targets.selector === '' ? null : parseLabelSelector(targets.selector).matches,
    procRoot: targets.procRoot,
    excludePorts: targets.excludePorts,
    adminPort: admin.address === '' ? null : Number(admin.address.slice(admin.address.lastIndexOf(':') + 1)),
    hostInterfaces: capture.interfaces,
    own,
  }
}
