/** Converts pods into the form in which pairs name them. Pure; equal records yield the same object. */
import type { EndpointPod } from '../../pair/endpoint-pod.ts'
import type { KnownPod } from '../kubernetes/known-pod.ts'
import type { Pod } from '../proc/snapshot.ts'
import { isLasting, isProxy } from './pod-mesh.ts'

/** The pod as the API server names it or, if it has not reported the pod, as /proc describes it. */
export const endpointOf = (pod: Pod, known: KnownPod | null): EndpointPod =>
  known === null ? endpointOfProc(pod) : endpointOfKnown(known)

/** The pod as the API server names it. */
export const endpointOfKnown = cached(
  ({ uid, name, namespace, labels, workload, containers }: KnownPod): EndpointPod => {
    const identity = { name, namespace, uid, workload: workload && { ...workload }, labels: { ...labels } }
    const lasting = containers.filter(isLasting)
    const applications = lasting.filter((container) => !isProxy(container))
    const containersByPort: Record<string, string> = {}
    for (const container of lasting) for (const port of container.ports) containersByPort[port] ??= container.name
    return { identity, container: applications.length === 1 ? applications[0].name : null, containersByPort }
  },
)

/** The pod as /proc describes it: its uid, the ids of its containers, and the name that its environment hints at. */
const endpointOfProc = cached(({ uid, nameHint, applications, listeners }: Pod): EndpointPod => {
  const identity = { name: nameHint, namespace: null, uid, workload: null, labels: {} }
  const containersByPort: Record<string, string> = {}
  for (const { port, containerId } of listeners) if (containerId !== null) containersByPort[port] ??= containerId
  return { identity, container: applications.length === 1 ? applications[0] : null, containersByPort }
})

/** Consumers compare endpoints by reference. */
function cached<K extends object>(make: (record: K) => EndpointPod): (record: K) => EndpointPod {
  const cache = new WeakMap<K, EndpointPod>()
  return (record) => {
    const endpoint = cache.get(record) ?? make(record)
    cache.set(record, endpoint)
    return endpoint
  }
}
