/** Builds the parameters of a capture through libpcap. Main thread. */

import { AUTHENTICATION, PROTOCOL_TCP } from '../../net/ip-protocols.ts'
import { answersFromPort, ipProtocolsOf, parseTunnels, type Tunnels } from '../../net/tunnels.ts'
import type { SocketOptions } from '../af-packet/socket-opener.ts'
import type { Exclusion } from '../filter/kernel-filter.ts'
import type { CapSource } from '../worker-data.ts'

/** libpcap reserves a whole snap length of its buffer per frame, so the same traffic needs a larger buffer. */
const CAP_BUFFER_SHARE = 4
/** libpcap's parameter is an int. */
const MAX_CAP_BUFFER = 2 ** 31 - 1

/** @param devices by interface id; `any`: every interface with an address */
export function capSource(devices: readonly string[], options: SocketOptions): CapSource {
  return {
    kind: 'cap',
    interfaces: devices.map((device, interfaceId) => ({ interfaceId, device })),
    filter: capFilter(options.filter, options.exclude, parseTunnels(options.tunnels)),
    snapLength: options.snapLength,
    bufferBytes: Math.min(options.ringBytes * CAP_BUFFER_SHARE, MAX_CAP_BUFFER),
  }
}

/**
 * Builds the filter of all interfaces as an expression of pcap-filter(7). It excludes traffic that cannot be HTTP
 * instead of selecting traffic that can, so that frames whose headers it cannot see (tagged, encapsulated) pass.
 *
 * @param expression the user's; empty: none
 */
export function capFilter(expression: string, exclude: readonly Exclusion[], tunnels: Tunnels): string {
  const parts = [`not (${notWanted(tunnels)})`, ...exclude.map((exclusion) => `not ${excluded(exclusion)}`)]
  if (expression !== '') parts.push(`(${expression})`)
  return parts.join(' and ')
}

function notWanted(tunnels: Tunnels): string {
  const ports = [...tunnels.udp].map(([port, name]) =>
    answersFromPort(name) ? `udp port ${port}` : `udp dst port ${port}`,
  )
  const protocols = [PROTOCOL_TCP, AUTHENTICATION, ...ipProtocolsOf(tunnels)].map((protocol) => `ip proto ${protocol}`)
  // Fragments after the first have no ports.
  const udp = ports.length === 0 ? [] : [`(ip proto 17 and (ip[6:2] & 0x1fff != 0 or ${ports.join(' or ')}))`]
  const udp6 = ports.length === 0 ? 'ip6 proto 17' : `(ip6 proto 17 and not (${ports.join(' or ')}))`
  return `arp or (ip and not (${[...protocols, ...udp].join(' or ')})) or (ip6 and (ip6 proto 58 or ${udp6}))`
}

function excluded({ address, port }: Exclusion): string {
  if (address === null) return `(tcp port ${port})`
  return `((src host ${address} and tcp src port ${port}) or (dst host ${address} and tcp dst port ${port}))`
}
