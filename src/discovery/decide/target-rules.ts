/** Derives the rules of discovery from the configuration. */
import { ADMIN_ADDRESS } from '../../config/admin-address.ts'
import { globMatcher } from '../../config/glob.ts'
import { parseLabelSelector } from '../../config/label-selector.ts'
import type { Config } from '../../config/schema.ts'
import { parseListenAddress } from '../../net/listen-address.ts'
import type { OwnPod } from '../proc/own-pod.ts'
import type { InterfaceRule, TargetRules } from './decision.ts'

/**
 * @param own the pod that this process runs in
 * @throws InterceptorError (EXIT_USAGE) when a selector of `targets` is not a label selector
 */
export function targetRules({ targets, capture, admin }: Config, own: OwnPod): TargetRules {
  return {
    include: targets.namespaces.include,
    exclude: targets.namespaces.exclude,
    matchesLabels: targets.selector === '' ? null : parseLabelSelector(targets.selector).matches,
    procRoot: targets.procRoot,
    excludePorts: targets.excludePorts,
    adminPort: parseListenAddress(admin.address, ADMIN_ADDRESS)?.port ?? null,
    hostInterfaces: capture.interfaces,
    interfaceRules: targets.interfaces.map(interfaceRule),
    own,
  }
}

function interfaceRule(rule: Config['targets']['interfaces'][number]): InterfaceRule {
  const { namespaces, workload, selector, interfaces } = rule
  const [kind = '', name = ''] = workload.split('/')
  const [isNamespace, isKind, isName] = [namespaces, [kind], [name]].map((list) =>
    globMatcher(list, { ignoreCase: true }),
  )
  const labels = parseLabelSelector(selector)
  return {
    matches: (pod) =>
      (namespaces.length === 0 || isNamespace(pod.namespace)) &&
      (workload === '' || (pod.workload !== null && isKind(pod.workload.kind) && isName(pod.workload.name))) &&
      labels.matches(pod.labels),
    interfaces,
  }
}
