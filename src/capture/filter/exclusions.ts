/** Exclusions for the agent's own traffic to its brokers, which it must not capture. */
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import type { Exclusion } from './kernel-filter.ts'

/**
 * @param brokers `host:port` each, IPv6 addresses in brackets
 * @returns an exclusion for every address of every broker. A name that does not resolve now gets none; its traffic would
 *   be captured, which costs little, as it is not HTTP
 */
export async function brokerExclusions(brokers: readonly string[]): Promise<Exclusion[]> {
  const found = await Promise.all(brokers.map(addressesOf))
  return found.flat()
}

async function addressesOf(broker: string): Promise<Exclusion[]> {
  const colon = broker.lastIndexOf(':')
  const host = broker.slice(0, colon).replace(/^\[(.*)\]$/, '$1')
  const port = Number(broker.slice(colon + 1))
  if (isIP(host) !== 0) return [{ address: host, port }]
  try {
    return (await lookup(host, { all: true })).map(({ address }) => ({ address, port }))
  } catch {
    return []
  }
}
