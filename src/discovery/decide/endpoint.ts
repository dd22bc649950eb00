/** Converts a pod of the API server into the form in which pairs name it. Pure. */
import type { EndpointPod } from '../../pair/endpoint-pod.ts'
import type { KnownPod } from '../kubernetes/known-pod.ts'
import { isLasting, isProxy } from './pod-mesh.ts'

const cache = new WeakMap<KnownPod, EndpointPod>()

/** @returns the same object for the same record, so that results can be compared by reference */
export function endpointOf(pod: KnownPod): EndpointPod {
  const before = cache.get(pod)
  if (before !== undefined) return before
  const endpoint = describe(pod)
  cache.set(pod, endpoint)
  return endpoint
}

function describe({ uid, name, namespace, labels, workload, containers }: KnownPod): EndpointPod {
  const identity = { name, namespace, uid, workload: workload && { ...workload }, labels: { ...labels } }
  const lasting = containers.filter(isLasting)
  const applications = lasting.filter((container) => !isProxy(container))
  const containersByPort: Record<string, string> = {}
  for (const container of lasting) for (const port of container.ports) containersByPort[port] ??= container.name
  return { identity, container: applications.length === 1 ? applications[0].name : null, containersByPort }
}
