/**
 * Which pods are wanted: the rules of the configuration's section `targets`, and the annotation by which a pod decides for
 * itself. Pure.
 */

import { globMatcher } from '../../config/glob.ts'
import type { KnownPod } from '../kubernetes/known-pod.ts'
import type { DecisionReason } from './decision.ts'

/** `"true"` or `"false"`: decides for its pod, whatever the rules say. */
const CAPTURE_ANNOTATION = 'interceptor.dev/capture'

/** Rules about namespaces and labels. */
export interface SelectionRules {
  /** Names or globs; empty: all. */
  readonly include: readonly string[]
  readonly exclude: readonly string[]
  /** Whether labels match `targets.selector`; null: there is none. */
  readonly matchesLabels: ((labels: Readonly<Record<string, string>>) => boolean) | null
}

/** Whether a pod is wanted, and why, where there is something to tell. */
export type Choice =
  | { readonly wanted: true; readonly why: string | null }
  | { readonly wanted: false; readonly reason: LeftOut; readonly why: string }

type LeftOut = Extract<DecisionReason, 'annotation' | 'namespace' | 'labels' | 'unknown'>

const WANTED: Choice = { wanted: true, why: null }
const left = (reason: LeftOut, why: string): Choice => ({ wanted: false, reason, why })

/**
 * @param known null: the API server has not told of the pod. While there are rules that need its namespace or labels it is
 *   left out, since it may be one that they leave out.
 */
export function selector(rules: SelectionRules): (known: KnownPod | null) => Choice {
  const { include, exclude, matchesLabels } = rules
  const [isIncluded, isExcluded] = [globMatcher(include), globMatcher(exclude)]
  const needs = neededFacts(rules)
  return (known) => {
    if (known === null) {
      return needs === null
        ? WANTED
        : left('unknown', `its ${needs} ${needs === 'labels' ? 'are' : 'is'} not known, ${UNKNOWN}`)
    }
    const { namespace, labels, annotations } = known
    const annotation = annotations[CAPTURE_ANNOTATION]
    if (annotation === 'false') return left('annotation', `annotation ${CAPTURE_ANNOTATION} is false`)
    if (annotation === 'true') return { wanted: true, why: `annotation ${CAPTURE_ANNOTATION} is true` }
    if (isExcluded(namespace))
      return left('namespace', `namespace ${namespace} is left out by targets.namespaces.exclude`)
    if (include.length > 0 && !isIncluded(namespace)) {
      return left('namespace', `namespace ${namespace} is not in targets.namespaces.include`)
    }
    if (matchesLabels !== null && !matchesLabels(labels))
      return left('labels', 'its labels do not match targets.selector')
    return WANTED
  }
}

/** What rules ask of a pod that only the API server tells; null: nothing. */
export function neededFacts({ include, exclude, matchesLabels }: SelectionRules): 'namespace' | 'labels' | null {
  if (include.length > 0 || exclude.length > 0) return 'namespace'
  return matchesLabels === null ? null : 'labels'
}

const UNKNOWN = 'and targets has rules about it: see that the API server can be reached'
