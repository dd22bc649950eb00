/** What a capture through libpcap is started with. Main thread. */

import type { SocketOptions } from '../af-packet/socket-opener.ts'
import type { Exclusion } from '../filter/kernel-filter.ts'
import type { CapSource } from '../worker-data.ts'

/** libpcap takes a whole snap length of its buffer for every frame, so for the same traffic it needs more of it. */
const CAP_BUFFER_SHARE = 4
/** libpcap takes an int. */
const MAX_CAP_BUFFER = 2 ** 31 - 1

/** @param devices by interface id; `any`: every interface with an address */
export function capSource(devices: readonly string[], options: SocketOptions): CapSource {
  return {
    kind: 'cap',
    interfaces: devices.map((device, interfaceId) => ({ interfaceId, device })),
    filter: capFilter(options.filter, options.exclude),
    snapLength: options.snapLength,
    bufferBytes: Math.min(options.ringBytes * CAP_BUFFER_SHARE, MAX_CAP_BUFFER),
  }
}

/** What cannot be HTTP. Said in the negative, so that tagged and encapsulated packets pass. */
const NOT_TCP = 'arp or (ip and not ip proto 6) or (ip6 and (ip6 proto 17 or ip6 proto 58))'

/** @param expression the user's; empty: none */
export function capFilter(expression: string, exclude: readonly Exclusion[]): string {
  const parts = [`not (${NOT_TCP})`, ...exclude.map((exclusion) => `not ${excluded(exclusion)}`)]
  if (expression !== '') parts.push(`(${expression})`)
  return parts.join(' and ')
}

function excluded({ address, port }: Exclusion): string {
  if (address === null) return `(tcp port ${port})`
  return `((src host ${address} and tcp src port ${port}) or (dst host ${address} and tcp dst port ${port}))`
}
