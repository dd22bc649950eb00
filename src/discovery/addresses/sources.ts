/**
 * The sources of the address directory: the pods of this node, from the latest scan of /proc and from the API server, and
 * the pods of other nodes and Services (`kubernetes.remoteNames`), from the API server. Pure, but for the directory.
 */
import type { EndpointPod, PodIdentity } from '../../pair/endpoint-pod.ts'
import { endpointOf, endpointOfKnown } from '../decide/endpoint.ts'
import type { Joined } from '../decide/join-pods.ts'
import type { KnownPod } from '../kubernetes/known-pod.ts'
import type { RemoteChange } from '../kubernetes/pod-watch.ts'
import type { Snapshot } from '../proc/snapshot.ts'
import type { AddressDirectory, HeldAddress } from './directory.ts'

/** A tick of 10 ms. Microseconds. */
const TICK_MICROS = 10_000

/**
 * The addresses held by pods of this node. A pod with the host's network holds none, since its addresses are the host's; a
 * pod that the API server has not reported is described by /proc alone. /proc is more up to date than the API server, so its
 * entries come last, where they win.
 *
 * @param nowMicros the time of the snapshot, on the clock of packets
 */
export function heldAddresses(snapshot: Snapshot, { known, unseen }: Joined, nowMicros: number): HeldAddress[] {
  const fromApi = unseen.filter(({ hostNetwork }) => !hostNetwork).flatMap((pod) => heldByUnseen(pod, nowMicros))
  const fromProc = snapshot.pods.flatMap((pod) => {
    if (pod.hostNetwork) return []
    const fromMicros = nowMicros - Math.max(0, snapshot.uptimeTicks - pod.startTicks) * TICK_MICROS
    const endpoint = endpointOf(pod, known.get(pod.uid) ?? null)
    return pod.addresses.map((address) => ({ address, pod: endpoint, fromMicros }))
  })
  return [...fromApi, ...fromProc]
}

/** Addresses of a pod whose processes are not visible, such as a virtual machine's. */
const heldByUnseen = (pod: KnownPod, nowMicros: number): HeldAddress[] =>
  pod.addresses.map((address) => ({ address, pod: endpointOfKnown(pod), fromMicros: pod.startMicros ?? nowMicros }))

/**
 * Applies a change of a remote pod or a Service to the directory.
 *
 * @param nowMicros the current time, on the clock of packets
 */
export function applyRemoteChange(directory: AddressDirectory, { now, before }: RemoteChange, nowMicros: number): void {
  if (before !== null) {
    for (const address of before.addresses) {
      if (now?.addresses.includes(address) !== true) directory.release(address, before.uid, nowMicros)
    }
  }
  if (now === null || now.addresses.length === 0) return
  const pod: EndpointPod = { identity: identityOf(now), container: null, containersByPort: {} }
  const fromMicros = now.kind === 'service' ? 0 : (now.startMicros ?? nowMicros)
  for (const address of now.addresses) directory.hold({ address, pod, fromMicros }, nowMicros)
}

/** A Service is represented as a pod whose workload has the kind `Service`. */
function identityOf(remote: NonNullable<RemoteChange['now']>): PodIdentity {
  if (remote.kind === 'pod') return remote.identity
  const { name, namespace, uid } = remote
  return { name, namespace, uid, workload: { kind: 'Service', name }, labels: {} }
}
