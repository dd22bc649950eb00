/** Pods at the ends of connections: how a pair names them (contract, "A pair"), and which address was whose, when. */

/** A pod as a pair names it, but for the container. */
export interface PodIdentity {
  name: string
  namespace: string
  uid: string
  workload: { kind: string; name: string } | null
  labels: Record<string, string>
}

/** A pod at an end of a connection. */
export interface EndpointPod {
  identity: PodIdentity
  /** Name of its container where it has only one that is no mesh proxy; null: it has several, or they are not known. */
  container: string | null
  /** Names of containers by the TCP port they declare. */
  containersByPort: Record<string, string>
}

/** Who held an address, for a time. Packet times, microseconds since the Unix epoch. */
export interface AddressHolder {
  pod: EndpointPod
  fromMicros: number
  /** null: holds it still. */
  toMicros: number | null
}

/** All that is known of an address. It replaces what was known of it before; without holders it is forgotten. */
export interface AddressEntry {
  /** Canonical text (RFC 5952). */
  address: string
  /** By time, the latest last. */
  holders: AddressHolder[]
}
