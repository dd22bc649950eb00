/** Determines the networks inside the cluster, where only the server's vantage of an exchange is kept. Pure. */
import { aggregateCidrs } from '../../net/aggregate-cidrs.ts'
import type { Snapshot } from '../proc/snapshot.ts'

/**
 * The configured networks or, if none are configured, those of the API server; and always the addresses of this node and
 * its pods, which are captured here. Without an API server nothing else is known, and not every CNI plugin allocates
 * addresses from the Node's podCIDRs.
 *
 * @returns CIDRs, aggregated
 */
export function internalCidrs(
  configured: readonly string[],
  fromApiServer: readonly string[],
  { host, pods }: Pick<Snapshot, 'host' | 'pods'>,
): string[] {
  const networks = configured.length > 0 ? configured : fromApiServer
  return aggregateCidrs([...networks, ...host.allAddresses, ...pods.flatMap(({ addresses }) => addresses)])
}
