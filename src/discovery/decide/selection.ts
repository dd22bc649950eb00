/**
 * Selects the pods that are captured, by the rules of the configuration's section `targets` and by the annotation with
 * which a pod overrides them. Pure.
 */
import { globMatcher } from '../../config/glob.ts'
import { CAPTURE_ANNOTATION } from '../kubernetes/annotations.ts'
import type { KnownPod } from '../kubernetes/known-pod.ts'

/** Rules about namespaces and labels. */
export interface SelectionRules {
  /** Names or globs; empty: all. */
  readonly include: readonly string[]
  readonly exclude: readonly string[]
  /** Whether labels match `targets.selector`; null: there is no selector. */
  readonly matchesLabels: ((labels: Readonly<Record<string, string>>) => boolean) | null
}

/** Why the rules leave a pod out. */
export type ExclusionReason = 'annotation' | 'namespace' | 'labels' | 'unknown'

/** Whether a pod is selected, and why, if there is a reason to give. */
export type Selection =
  | { readonly selected: true; readonly why: string | null }
  | { readonly selected: false; readonly reason: ExclusionReason; readonly why: string }

const SELECTED: Selection = { selected: true, why: null }
const excluded = (reason: ExclusionReason, why: string): Selection => ({ selected: false, reason, why })

/**
 * Compiles the rules.
 *
 * @returns a function of the pod's record; null: the API server has not reported the pod. If the rules depend on its
 *   namespace or labels, such a pod is left out, because the rules may exclude it
 */
export function podSelector(rules: SelectionRules): (known: KnownPod | null) => Selection {
  const { include, exclude, matchesLabels } = rules
  const [isIncluded, isExcluded] = [globMatcher(include), globMatcher(exclude)]
  const needed = neededFacts(rules)
  return (known) => {
    if (known === null) return needed === null ? SELECTED : excluded('unknown', `its ${needed} ${UNKNOWN}`)
    const { namespace, labels, annotations } = known
    const annotation = annotations[CAPTURE_ANNOTATION]
    if (annotation === 'false') return excluded('annotation', `annotation ${CAPTURE_ANNOTATION} is false`)
    if (annotation === 'true') return { selected: true, why: `annotation ${CAPTURE_ANNOTATION} is true` }
    if (isExcluded(namespace)) {
      return excluded('namespace', `namespace ${namespace} is excluded by targets.namespaces.exclude`)
    }
    if (include.length > 0 && !isIncluded(namespace)) {
      return excluded('namespace', `namespace ${namespace} is not in targets.namespaces.include`)
    }
    if (matchesLabels !== null && !matchesLabels(labels)) {
      return excluded('labels', 'its labels do not match targets.selector')
    }
    return SELECTED
  }
}

/** What the rules depend on that only the API server knows; null: nothing. */
export function neededFacts({ include, exclude, matchesLabels }: SelectionRules): 'namespace' | 'labels' | null {
  if (include.length > 0 || exclude.length > 0) return 'namespace'
  return matchesLabels === null ? null : 'labels'
}

const UNKNOWN = 'cannot be checked against the rules of targets: the API server has not reported the pod'
