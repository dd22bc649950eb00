/** Which networks count as the cluster's own, where only the server's view of an exchange is kept. Pure. */
import { joinNetworks } from '../../net/aggregate-networks.ts'
import type { Snapshot } from '../proc/snapshot.ts'

/**
 * What is configured, else what the API server tells; and in any case whatever is on this node, since it is captured here:
 * without an API server nothing else is known, and not every network plug-in takes addresses from the Node's pod networks.
 *
 * @returns CIDRs, as few as possible
 */
export function clusterNetworks(configured: readonly string[], told: readonly string[], snapshot: Snapshot): string[] {
  const here = snapshot.pods.flatMap(({ addresses }) => addresses)
  return joinNetworks([...(configured.length > 0 ? configured : told), ...snapshot.host.allAddresses, ...here])
}
