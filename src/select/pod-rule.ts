/** The rule of `filter.include` about the pods at the ends of a connection. */
import { globMatcher } from '../config/glob.ts'
import type { PairPod } from '../pair/pair.ts'

/** What the rule is about. */
type NamedPod = Pick<PairPod, 'name' | 'namespace' | 'workload'>

/** Whether one end is a listed pod. null: the end is no known pod. */
export type PodRule = (client: NamedPod | null, server: NamedPod | null) => boolean

/** The lists of names: empty ones accept every pod. */
interface PodLists {
  namespaces: readonly string[]
  /** `api`, or `Deployment/api` to name the kind too. */
  workloads: readonly string[]
  pods: readonly string[]
}

/**
 * Creates the rule. One pod has to be on every list that is not empty: the namespace of one end and the workload of the
 * other are not enough.
 *
 * @returns null if all lists are empty
 */
export function podRule({ namespaces, workloads, pods }: PodLists): PodRule | null {
  const checks: ((pod: NamedPod) => boolean)[] = []
  if (namespaces.length > 0) {
    const matches = globMatcher(namespaces)
    checks.push(({ namespace }) => namespace !== null && matches(namespace))
  }
  if (workloads.length > 0) {
    // Names are in lower case; kinds are written as people like.
    const matches = globMatcher(workloads, { ignoreCase: true })
    checks.push(
      ({ workload: owner }) => owner !== null && (matches(owner.name) || matches(`${owner.kind}/${owner.name}`)),
    )
  }
  if (pods.length > 0) {
    const matches = globMatcher(pods)
    checks.push(({ name }) => name !== null && matches(name))
  }
  if (checks.length === 0) return null
  const isListed = (pod: NamedPod | null): boolean => pod !== null && checks.every((check) => check(pod))
  return (client, server) => isListed(client) || isListed(server)
}
