/** The addresses that pods of other nodes and Services hold (`kubernetes.remoteNames`), as the API server tells them. */
import type { EndpointPod, PodIdentity } from '../../pair/endpoint-pod.ts'
import type { RemoteChange } from '../kubernetes/pod-watch.ts'
import type { AddressDirectory } from './directory.ts'

type Remote = NonNullable<RemoteChange['now']>

/**
 * Brings a change into the directory.
 *
 * @param nowMicros the time of now, on the clock of packets
 */
export function followRemote(directory: AddressDirectory, { now, before }: RemoteChange, nowMicros: number): void {
  for (const address of before?.addresses ?? []) {
    if (now?.addresses.includes(address) !== true) directory.release(address, before!.uid, nowMicros)
  }
  if (now === null || now.addresses.length === 0) return
  const pod: EndpointPod = { identity: identityOf(now), container: null, containersByPort: {} }
  const fromMicros = now.kind === 'service' ? 0 : (now.startMicros ?? nowMicros)
  for (const address of now.addresses) directory.hold({ address, pod, fromMicros }, nowMicros)
}

/** A Service has no pod's identity: its kind says what it is. */
function identityOf(remote: Remote): PodIdentity {
  if (remote.kind === 'pod') return remote.identity
  const { name, namespace, uid } = remote
  return { name, namespace, uid, workload: { kind: 'Service', name }, labels: {} }
}
