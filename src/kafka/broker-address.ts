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

/** Suffix of an IPv6 literal written without colons, the form that Windows uses in UNC paths. */
const LITERAL_SUFFIX = '.ipv6-literal.net'

/** The address in a form that kafkajs can parse: it splits at the first colon. `resolveAlias` reverses it. */
export function kafkajsBroker(broker: string): string {
  const { host, port } = parseBroker(broker)
  return host.includes(':') ? `${host.replaceAll(':', '-')}${LITERAL_SUFFIX}:${port}` : broker
}

/** The host to connect to, from the one that kafkajs passes on. */
export const resolveAlias = (host: string): string =>
  host.endsWith(LITERAL_SUFFIX) ? host.slice(0, -LITERAL_SUFFIX.length).replaceAll('-', ':') : host
