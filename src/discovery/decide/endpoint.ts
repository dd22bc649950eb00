/** A pod as pairs name it, out of what the API server tells. Pure. */
import type { EndpointPod } from '../../pair/endpoint-pod.ts'
import type { KnownPod } from '../kubernetes/known-pod.ts'
import { isLasting, isProxy } from './pod-mesh.ts'

const made = new WeakMap<KnownPod, EndpointPod>()

/** @returns the same object for the same pod, so that it can be compared by reference */
export function endpointOf(pod: KnownPod): EndpointPod {
  const before = made.get(pod)
  if (before !== undefined) return before
  const endpoint = describe(pod)
  made.set(pod, endpoint)
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
