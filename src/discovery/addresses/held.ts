/** The addresses that pods of this node hold, by the latest pass over /proc and what the API server tells. Pure. */

import { endpointOf } from '../decide/endpoint.ts'
import type { Joined } from '../decide/join-pods.ts'
import type { KnownPod } from '../kubernetes/known-pod.ts'
import type { Snapshot } from '../proc/snapshot.ts'
import type { Held } from './directory.ts'

/** A tick of 10 ms. Microseconds. */
const TICK_MICROS = 10_000

/**
 * A pod without a name holds nothing, since a pair could not name it; nor does one with the host's network, whose
 * addresses are the host's. Processes in sight say more than the API server, which may be late, so theirs come last.
 *
 * @param nowMicros the time of the snapshot, on the clock of packets
 */
export function heldAddresses(snapshot: Snapshot, { known, unseen }: Joined, nowMicros: number): Held[] {
  const told = unseen.filter(({ hostNetwork }) => !hostNetwork).flatMap((pod) => holding(pod, nowMicros))
  const seen = snapshot.pods.flatMap(({ uid, hostNetwork, addresses, startTicks }) => {
    const pod = known.get(uid)
    if (pod === undefined || hostNetwork) return []
    const fromMicros = nowMicros - Math.max(0, snapshot.uptimeTicks - startTicks) * TICK_MICROS
    return addresses.map((address) => ({ address, pod: endpointOf(pod), fromMicros }))
  })
  return [...told, ...seen]
}

/** Of a pod whose processes are out of sight, a virtual machine's for one. */
const holding = (pod: KnownPod, nowMicros: number): Held[] =>
  pod.addresses.map((address) => ({ address, pod: endpointOf(pod), fromMicros: pod.startMicros ?? nowMicros }))
