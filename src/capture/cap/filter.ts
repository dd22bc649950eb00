/** The capture filter as a BPF expression, for libpcap to compile (pcap-filter(7)). */
import type { Exclusion } from '../af-packet/kernel-filter.ts'

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
