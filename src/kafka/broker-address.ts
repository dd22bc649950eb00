/** Broker addresses: `host:port`, IPv6 literals in brackets. */

export interface BrokerAddress {
  /** A name or an address; IPv6 without brackets. */
  host: string
  port: number
}

/** @param broker as the configuration's schema admits it: `kafka-0:9092`, `10.0.0.1:9092`, `[fd00::1]:9092` */
export function parseBroker(broker: string): BrokerAddress {
  const colon = broker.lastIndexOf(':')
  const host = broker.slice(0, colon).replace(/^\[(.*)\]$/, '$1')
  return { host, port: Number(broker.slice(colon + 1)) }
}

/** Ends an IPv6 literal in a name without colons: the form in which Windows writes one in a UNC path. */
const LITERAL_SUFFIX = '.ipv6-literal.net'

/** The address in the form that kafkajs parses, which splits at the first colon. `resolveAlias` undoes it. */
export function kafkajsBroker(broker: string): string {
  const { host, port } = parseBroker(broker)
  return host.includes(':') ? `${host.replaceAll(':', '-')}${LITERAL_SUFFIX}:${port}` : broker
}

/** The host to connect to, of one that kafkajs asks for. */
export const resolveAlias = (host: string): string =>
  host.endsWith(LITERAL_SUFFIX) ? host.slice(0, -LITERAL_SUFFIX.length).replaceAll('-', ':') : host
